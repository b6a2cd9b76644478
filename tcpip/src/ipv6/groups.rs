//! Multicast listener discovery, version 2 (RFC 3810), for the groups in which neighbors look
//! for this host. Without it, bridges that watch who listens keep their questions from it.
//!
//! Left out is what such groups have no use for: questions for single senders are taken as
//! questions for the group, and nobody is told when a group is left; routers forget it within
//! minutes.

use super::super::ports::Random;
use super::message::{Query, Version, solicited_node};
use super::packet::{Packet, Record};
use alloc::vec::Vec;
use core::net::Ipv6Addr;
use core::time::Duration;
use fata_net::MacAddress;
use fata_time::Instant;

/// How often a new group is reported, in case a report is lost (RFC 3810, section 9.1).
const ROBUSTNESS: u8 = 2;
/// The longest time between these reports (RFC 3810, section 9.11).
const REPORT_INTERVAL: Duration = Duration::from_secs(1);

/// The groups: no more than the interface has addresses.
#[derive(Default)]
pub(super) struct Groups(Vec<Group>);

struct Group {
    address: Ipv6Addr,
    /// How often it is still to be reported as new, and when.
    reports: u8,
    report_at: Instant,
    /// When a question is to be answered, and how.
    answer: Option<(Instant, Version)>,
}

impl Group {
    fn report_due(&self) -> Option<Instant> {
        (self.reports > 0).then_some(self.report_at)
    }
}

impl Groups {
    /// Takes over which addresses the interface has.
    pub(super) fn set(&mut self, addresses: impl Iterator<Item = Ipv6Addr>, now: Instant) {
        let mut old = core::mem::take(&mut self.0);
        for address in addresses.map(solicited_node) {
            if self.0.iter().any(|group| group.address == address) {
                continue;
            }
            let known = old.iter().position(|group| group.address == address);
            self.0.push(match known {
                Some(place) => old.swap_remove(place),
                None => Group {
                    address,
                    reports: ROBUSTNESS,
                    report_at: now,
                    answer: None,
                },
            });
        }
    }

    /// Takes in a question: the answers come after a random part of the time that it allows
    /// (RFC 3810, section 6.2).
    pub(super) fn ask(&mut self, query: &Query, now: Instant, random: &mut Random) {
        let due = now + random_part(query.delay, random);
        for group in &mut self.0 {
            if query.group.is_unspecified() || query.group == group.address {
                let earlier = group.answer.map(|(earlier, _)| earlier);
                group.answer = Some((
                    earlier.map_or(due, |earlier| earlier.min(due)),
                    query.version,
                ));
            }
        }
    }

    /// The next report that is due.
    pub(super) fn next(
        &mut self,
        mac: MacAddress,
        source: Ipv6Addr,
        now: Instant,
        random: &mut Random,
    ) -> Option<Packet> {
        let due = |group: &Group| group.report_due().is_some_and(|due| due <= now);
        if self.0.iter().any(due) {
            let new = self.0.iter().filter(|group| due(group));
            let new = new.map(|group| group.address);
            let packet = Packet::report(mac, source, Record::ToExclude, new);
            let again = now + random_part(REPORT_INTERVAL, random);
            for group in self.0.iter_mut().filter(|group| due(group)) {
                group.reports -= 1;
                group.report_at = again;
            }
            return Some(packet);
        }
        self.next_answer(mac, source, now)
    }

    fn next_answer(&mut self, mac: MacAddress, source: Ipv6Addr, now: Instant) -> Option<Packet> {
        let is_due = |group: &Group, wanted| {
            let answer = group.answer;
            answer.is_some_and(|(due, version)| due <= now && version == wanted)
        };
        let mut groups = self.0.iter_mut();
        if let Some(group) = groups.find(|group| is_due(group, Version::One)) {
            group.answer = None;
            return Some(Packet::report_version_1(mac, source, group.address));
        }
        let asked = |group: &&Group| is_due(group, Version::Two);
        self.0.iter().find(asked)?;
        let asked = self.0.iter().filter(asked).map(|group| group.address);
        let packet = Packet::report(mac, source, Record::IsExclude, asked);
        for group in &mut self.0 {
            group.answer.take_if(|(due, _)| *due <= now);
        }
        Some(packet)
    }

    /// When [`next`](Self::next) has something to do.
    pub(super) fn deadline(&self) -> Option<Instant> {
        let answers = self.0.iter().filter_map(|group| group.answer);
        let reports = self.0.iter().filter_map(Group::report_due);
        answers.map(|(due, _)| due).chain(reports).min()
    }
}

fn random_part(longest: Duration, random: &mut Random) -> Duration {
    let milliseconds = longest.as_millis() as u64;
    Duration::from_millis(random.next() % (milliseconds + 1))
}
