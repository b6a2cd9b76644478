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
