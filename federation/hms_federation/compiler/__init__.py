"""The compiler: one query text and a policy in, one plan out; it opens no source and reads no row."""
