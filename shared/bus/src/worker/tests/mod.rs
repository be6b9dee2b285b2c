mod bench;
mod claims;
mod readiness;
mod refused;
mod restarts;
