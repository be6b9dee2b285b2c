mod bench;
mod claims;
mod deadly;
mod paused;
mod readiness;
mod refused;
mod restarts;
