use super::*;

#[test]
fn nobody_waits_for_an_address_that_no_host_can_have() {
    simulate(|tasks| async move {
        for address in [Ipv4Addr::UNSPECIFIED, Ipv4Addr::new(224, 0, 0, 1)] {
            let config = Config {
                ipv6: Ipv6Config::LinkLocal,
                ..config(address, SERVER_V6)
            };
            let (device, _link) = Link::pair(16);
            let stack = TcpIp::start(&tasks, device, config, 1);
            let patience = Duration::from_secs(60);
            let configured = tasks.timeout(patience, stack.configured()).await;
            assert!(configured.is_ok(), "{address}");
        }
    });
}
