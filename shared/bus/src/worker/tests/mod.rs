mod bench;
mod claims;
mod restarts;
