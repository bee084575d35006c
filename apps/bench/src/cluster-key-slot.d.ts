/** The package has no types of its own. */
declare module "cluster-key-slot" {
  /** The slot of a key by CRC-16, its hash tag considered: 0 to 16,383. */
  export default function calculateSlot(key: string): number;
}
