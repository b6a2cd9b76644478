use super::*;

#[test]
fn nobody_waits_for_an_address_that_no_host_can_have() {
    simulate(|tasks| async move {
        for address in [
            Ipv4Addr::UNSPECIFIED,
            Ipv4Addr::new(224, 0, 0, 1),
            Ipv4Addr::new(127, 0, 0, 1),
            // The network, and all of its hosts.
            Ipv4Addr::new(10, 0, 0, 0),
            Ipv4Addr::new(10, 0, 0, 255),
        ] {
            let config = Config {
                ipv6: Ipv6Config::LinkLocal,
                ..config(address, SERVER_V6)
            };
            let (device, _link) = Link::pair(16);
            let stack = TcpIp::start(&tasks, device, config, 1);
            let patience = Duration::from_secs(60);
            let configured = tasks.timeout(patience, stack.configured()).await;
            assert!(configured.is_ok(), "{address}");
            let addresses = stack.addresses();
            assert!(addresses.iter().all(|(own, _)| own.is_ipv6()), "{address}");
        }
    });
}

#[test]
fn those_who_give_up_waiting_for_an_address_leave_nothing_behind() {
    simulate(|tasks| async move {
        let (device, _link) = Link::pair(16);
        let stack = TcpIp::start(&tasks, device, Config::default(), 1);
        // The stack itself has given up by then.
        tasks.sleep(Duration::from_secs(11)).await;
        for _ in 0..5 {
            let (stack, timer) = (stack.clone(), tasks.clone());
            let task = tasks.spawn(async move {
                let second = Duration::from_secs(1);
                timer.timeout(second, stack.configured()).await.is_err()
            });
            assert_eq!(task.await, Ok(true));
        }
        assert_eq!(stack.shared.engine.borrow().address_waiters.count(), 0);
    });
}

#[test]
fn an_ipv6_address_that_no_host_can_have_is_left_out() {
    simulate(|tasks| async move {
        let (network, group) = ("fd00::", "ff02::7");
        for (text, count) in [(network, 1), (group, 1), ("fd00::7", 2)] {
            let address = text.parse().expect("an address");
            let config = Config {
                ipv4: Ipv4Config::Off,
                ..config(SERVER, address)
            };
            let (device, _link) = Link::pair(16);
            let stack = TcpIp::start(&tasks, device, config, 1);
            assert_eq!(stack.addresses().len(), count, "{text}");
        }
    });
}

#[test]
fn a_router_that_no_other_host_can_be_is_left_out() {
    simulate(|tasks| async move {
        for (gateway, is_right) in [
            (CLIENT, true),
            (Ipv4Addr::new(169, 254, 1, 1), true),
            (SERVER, false),
            (Ipv4Addr::new(10, 0, 0, 255), false),
            (Ipv4Addr::BROADCAST, false),
        ] {
            let ipv4 = Ipv4Config::Static {
                address: SERVER,
                prefix: 24,
                gateway: Some(gateway),
            };
            let (device, _link) = Link::pair(16);
            let config = Config {
                ipv4,
                ..server_config()
            };
            let stack = TcpIp::start(&tasks, device, config, 1);
            let far = Ipv4Addr::new(1, 1, 1, 1);
            let hop = stack.shared.engine.borrow().next_hop(far.into());
            assert_eq!(hop, is_right.then(|| gateway.into()));
        }
    });
}

#[test]
fn no_connection_is_opened_to_many_hosts() {
    simulate(|tasks| async move {
        let (_one, other) = network(&tasks, server_config(), client_config());
        for many in [
            Ipv4Addr::new(10, 0, 0, 255).into(),
            Ipv4Addr::BROADCAST.into(),
            Ipv4Addr::new(224, 0, 0, 251).into(),
            IpAddr::from([0xff02, 0, 0, 0, 0, 0, 0, 1]),
        ] {
            let opened = Stack::connect(&other, (many, 80).into()).await;
            assert_eq!(opened.err(), Some(Error::Unreachable), "{many}");
            assert_eq!(other.statistics().connections, 0);
        }
    });
}
