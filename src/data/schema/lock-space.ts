/** First key of all our advisory locks ('botc'). */
export const LOCK_SPACE = 0x626f7463;
