//! Orphans make room.

use super::Engine;
use crate::connections::RESET_TIMEOUT;
use fata_time::Instant;

impl Engine {
    /// Resets the oldest orphan if there is hardly room for one more connection, or memory for
    /// buffers.
    pub(crate) fn make_room(&mut self, now: Instant) {
        let most = self.config.max_connections;
        if self.table.connections() < most - most / 8 && !self.pool.is_scarce() {
            return;
        }
        let Some(key) = self.orphans.pop(now, &mut self.table) else {
            return;
        };
        if let Some(flow) = self.table.flow(key) {
            flow.abort_at = Some(now + RESET_TIMEOUT);
            flow.orphaned = None;
            flow.connection.abort(fata_tcp::Error::TimedOut);
            self.totals.evicted_orphans += 1;
            self.table.make_ready(key);
        }
    }
}
