// Stands between a process and its C library, to see which files it syncs and to fail what it writes. Loaded by
// LD_PRELOAD; see shimmed-disk.ts. It minds the files whose path begins with LEAKDB_SHIM_FILES alone.
//
// In the directory LEAKDB_SHIM_CONTROL
//   calls               gets a line for every sync that succeeded: the name of the file, and behind it " (O_DSYNC)"
//                       where it was a write through a descriptor that syncs
//   full                while it is there, a write past the end of a file fails as on a full disk (ENOSPC)
//   fail-syncs          while it is there, every sync fails (EIO), and every write that syncs
//   fail-synced-writes  while it is there, every write through a descriptor that syncs (O_DSYNC) fails (EIO)
//   fail-writes         while it is there, every write fails (EIO)

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

namespace {

template <typename Function>
Function real(Function, const char *name) {
  return reinterpret_cast<Function>(dlsym(RTLD_NEXT, name));
}

ssize_t real_write(int descriptor, const void *bytes, size_t size) {
  static auto call = real(&write, "write");
  return call(descriptor, bytes, size);
}

// The path of the open file, or false when it is none of those that are minded.
bool minded(int descriptor, char (&path)[4096]) {
  const char *files = getenv("LEAKDB_SHIM_FILES");
  if (files == nullptr) return false;
  char link[64];
  snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
  const ssize_t length = readlink(link, path, sizeof path - 1);
  if (length < 0) return false;
  path[length] = '\0';
  return strncmp(path, files, strlen(files)) == 0;
}

void control_path(char (&path)[4096], const char *name) {
  snprintf(path, sizeof path, "%s/%s", getenv("LEAKDB_SHIM_CONTROL"), name);
}

bool asked_for(const char *fault) {
  char path[4096];
  control_path(path, fault);
  return access(path, F_OK) == 0;
}

void record(const char *file, const char *how) {
  char path[4096];
  control_path(path, "calls");
  const int descriptor = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  if (descriptor < 0) abort();
  char line[4096 + 16];
  const int length = snprintf(line, sizeof line, "%s%s\n", strrchr(file, '/') + 1, how);
  if (real_write(descriptor, line, static_cast<size_t>(length)) != length) abort();
  close(descriptor);
}

int sync_file(int (*call)(int), int descriptor) {
  char path[4096];
  if (!minded(descriptor, path)) return call(descriptor);
  if (asked_for("fail-syncs")) {
    errno = EIO;
    return -1;
  }
  const int result = call(descriptor);
  if (result == 0) record(path, "");
  return result;
}

bool writes_through(int descriptor) { return (fcntl(descriptor, F_GETFL) & O_DSYNC) != 0; }

// The error that a write of `size` bytes at `offset` is to fail with, or 0.
int write_fault(int descriptor, off_t offset, size_t size) {
  char path[4096];
  if (!minded(descriptor, path)) return 0;
  if (asked_for("fail-writes")) return EIO;
  if (writes_through(descriptor) && (asked_for("fail-synced-writes") || asked_for("fail-syncs"))) return EIO;
  struct stat status;
  if (fstat(descriptor, &status) != 0) return 0;
  return offset + static_cast<off_t>(size) > status.st_size && asked_for("full") ? ENOSPC : 0;
}

// Where the descriptor stands, for writes that do not say.
int write_fault_here(int descriptor, size_t size) {
  const off_t offset = lseek(descriptor, 0, SEEK_CUR);
  return offset < 0 ? 0 : write_fault(descriptor, offset, size);
}

ssize_t written(int descriptor, ssize_t result) {
  char path[4096];
  if (result > 0 && minded(descriptor, path) && writes_through(descriptor)) record(path, " (O_DSYNC)");
  return result;
}

}  // namespace

extern "C" {

int fsync(int descriptor) {
  static auto call = real(&fsync, "fsync");
  return sync_file(call, descriptor);
}

int fdatasync(int descriptor) {
  static auto call = real(&fdatasync, "fdatasync");
  return sync_file(call, descriptor);
}

ssize_t write(int descriptor, const void *bytes, size_t size) {
  errno = write_fault_here(descriptor, size);
  return errno != 0 ? -1 : written(descriptor, real_write(descriptor, bytes, size));
}

ssize_t writev(int descriptor, const struct iovec *parts, int count) {
  static auto call = real(&writev, "writev");
  size_t size = 0;
  for (int part = 0; part < count; part += 1) size += parts[part].iov_len;
  errno = write_fault_here(descriptor, size);
  return errno != 0 ? -1 : written(descriptor, call(descriptor, parts, count));
}

ssize_t pwrite(int descriptor, const void *bytes, size_t size, off_t offset) {
  static auto call = real(&pwrite, "pwrite");
  errno = write_fault(descriptor, offset, size);
  return errno != 0 ? -1 : written(descriptor, call(descriptor, bytes, size, offset));
}

#ifdef __GLIBC__
ssize_t pwrite64(int descriptor, const void *bytes, size_t size, off64_t offset) {
  static auto call = real(&pwrite64, "pwrite64");
  errno = write_fault(descriptor, static_cast<off_t>(offset), size);
  return errno != 0 ? -1 : written(descriptor, call(descriptor, bytes, size, offset));
}
#endif

}  // extern "C"
