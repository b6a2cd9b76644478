//! The host's name servers.

use alloc::vec::Vec;
use core::net::IpAddr;

/// Where hosts list them (resolv.conf(5)).
const FILE: &str = "/etc/resolv.conf";
/// More are not asked; the C library asks three.
const MOST: usize = 3;

/// Reads them. There are none if the host does not say.
pub(super) fn read() -> Vec<IpAddr> {
    match std::fs::read_to_string(FILE) {
        Ok(text) => parse(&text),
        Err(error) => {
            log::debug!(target: "net", "{FILE}: {error}");
            Vec::new()
        }
    }
}

fn parse(text: &str) -> Vec<IpAddr> {
    let addresses = text.lines().filter_map(|line| {
        let mut words = line.split_whitespace();
        let address = words.next().filter(|word| *word == "nameserver");
        address.and(words.next())?.parse().ok()
    });
    addresses.take(MOST).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn name_servers_are_found_among_other_lines() {
        let text = "# made by hand\nsearch example\nnameserver 10.0.0.1\n\tnameserver fd00::1 \n\
                    nameserver fe80::1%eth0\nnameserver\noptions edns0\n";
        let found: Vec<_> = parse(text)
            .iter()
            .map(std::string::ToString::to_string)
            .collect();
        assert_eq!(found, ["10.0.0.1", "fd00::1"]);
    }
}
