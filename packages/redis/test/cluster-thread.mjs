/** The adapter on a thread of its own, which can be killed. */

import { serveAdapter } from "@leakdb/core/adapter-thread";
import { redis } from "@leakdb/redis";

serveAdapter((options) => redis(options));
