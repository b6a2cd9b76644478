//! Connections that the application is done with make room for new ones.

use super::*;

const PLACES: usize = 8;

/// Accepts connections, writes more to each than its peer takes, and lets go of it.
fn spawn_careless(tasks: &Handle, stack: &TcpIp) {
    let (spawner, stack) = (tasks.clone(), stack.clone());
    tasks.spawn(async move {
        let listener = stack
            .listen(everywhere(80))
            .await
            .expect("the port is free");
        loop {
            let mut stream = listener.accept().await.expect("accepting goes on");
            let timer = spawner.clone();
            spawner.spawn(async move {
                let data = pattern(1_000_000);
                let pause = Duration::from_millis(100);
                let _ = timer.timeout(pause, stream.write_all(&data)).await;
            });
        }
    });
}

#[test]
fn connections_that_do_not_close_make_room() {
    simulate(|tasks| async move {
        let config = Config {
            max_connections: PLACES,
            ..server_config()
        };
        let (one, other) = network(&tasks, config, client_config());
        spawn_careless(&tasks, &one);
        tasks.sleep(Duration::from_millis(1)).await;
        let mut deaf = Vec::new();
        for _ in 0..PLACES {
            deaf.push(Stack::connect(&other, server(80)).await.expect("connected"));
        }
        tasks.sleep(Duration::from_secs(1)).await;
        assert_eq!(one.statistics().closing, PLACES);
        for _ in 0..PLACES {
            let start = tasks.now();
            deaf.push(Stack::connect(&other, server(80)).await.expect("connected"));
            // The first SYN may be lost, as its connection had no place yet.
            assert!(tasks.now() - start < Duration::from_secs(3));
            tasks.sleep(Duration::from_secs(1)).await;
        }
        assert!(one.statistics().totals.evicted_orphans >= PLACES as u64);
    });
}

#[test]
fn connections_close_in_peace_where_there_is_room() {
    simulate(|tasks| async move {
        let (one, other) = network(&tasks, server_config(), client_config());
        spawn_careless(&tasks, &one);
        tasks.sleep(Duration::from_millis(1)).await;
        let mut slow = Stack::connect(&other, server(80)).await.expect("connected");
        tasks.sleep(Duration::from_secs(2)).await;
        for _ in 0..PLACES {
            drop(Stack::connect(&other, server(80)).await.expect("connected"));
        }
        assert_eq!(one.statistics().totals.evicted_orphans, 0);
        slow.read_exact(&mut [0; 1_000])
            .await
            .expect("it is still there");
    });
}
