//! Buffers, as large as they may be.

use super::*;

#[test]
fn no_peer_may_send_more_than_the_largest_buffer_holds() {
    const ALL: usize = 12 << 20;
    let big = |config| Config {
        receive_buffer: 4 << 20,
        transmit_buffer: 4 << 20,
        ..config
    };
    simulate(move |tasks| async move {
        let (one, other) = network(&tasks, big(server_config()), big(client_config()));
        let listener = one.listen(everywhere(80)).await.expect("the port is free");
        let mut sender = Stack::connect(&other, server(80)).await.expect("connected");
        let mut receiver = listener.accept().await.expect("accepted");
        let writer = tasks.spawn(async move {
            sender.write_all(&pattern(ALL)).await.expect("written");
            sender
        });
        let mut buffer = vec![0; ALL / 2];
        receiver.read_exact(&mut buffer).await.expect("received");
        tasks.sleep(Duration::from_secs(1)).await;
        assert!(one.statistics().buffer_bytes <= 4 << 20);
        receiver.read_exact(&mut buffer).await.expect("received");
        let _sender = writer.await.expect("all is written");
        assert_eq!(other.statistics().totals.retransmitted_segments, 0);
    });
}
