/**
 * The marks a slot of the table may carry. While any of them is set the slot is *held*: someone outside the table
 * refers to it by number, so it is neither freed nor given to another key (I4).
 */

/** The slot's newest state waits in a line of the queue. */
export const WAITING = 1;
/** A state of the slot has left its line and is not settled yet. */
export const IN_FLIGHT = 2;
/** A clear took the slot out of the index while it was held; whoever holds it lets it go. */
export const DETACHED = 4;
/** The newest state of the slot waits for the journal. */
export const JOURNALING = 8;
