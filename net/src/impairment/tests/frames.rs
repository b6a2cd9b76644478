use super::*;

const COUNT: u32 = 4_000;

/// An impairment that holds all of them.
fn roomy() -> Impairment {
    Impairment {
        queue: 2 * COUNT as usize,
        ..Impairment::default()
    }
}

/// Returns whether `counted` is a share of [`COUNT`], give or take four standard deviations.
fn is_share(counted: u64, share: f64) -> bool {
    let (expected, trials) = (share * f64::from(COUNT), f64::from(COUNT));
    let deviation = (trials * share * (1.0 - share)).sqrt();
    (counted as f64 - expected).abs() <= 4.0 * deviation
}

#[test]
fn by_default_all_frames_pass_at_once_and_unchanged() {
    let (frames, counts) = through(Impairment::default(), 1, COUNT);
    assert_eq!(numbers(&frames), (0..COUNT).collect::<Vec<_>>());
    for (took, frame) in &frames {
        assert_eq!(*took, Duration::ZERO);
        assert_eq!((frame.len(), &frame[4..]), (LENGTH, &[0; LENGTH - 4][..]));
    }
    let expected = ImpairmentCounts {
        frames: COUNT.into(),
        ..ImpairmentCounts::default()
    };
    assert_eq!(counts, expected);
}

#[test]
fn the_share_that_is_lost_is_lost() {
    for share in [0.0, 0.01, 0.3, 1.0] {
        let impairment = Impairment {
            loss: share,
            ..roomy()
        };
        let (frames, counts) = through(impairment, 2, COUNT);
        assert!(is_share(counts.lost, share), "{share}: {}", counts.lost);
        assert_eq!(frames.len() as u64, u64::from(COUNT) - counts.lost);
        assert!(numbers(&frames).is_sorted());
    }
}

#[test]
fn the_same_seed_gives_the_same_fates() {
    let impairment = Impairment {
        loss: 0.1,
        duplication: 0.1,
        corruption: 0.1,
        reordering: 0.1,
        jitter: Duration::from_millis(5),
        rate: NonZeroU64::new(1_000_000),
        ..roomy()
    };
    let first = through(impairment, 3, COUNT);
    assert_eq!(through(impairment, 3, COUNT), first);
    assert_ne!(through(impairment, 4, COUNT), first);
}

#[test]
fn one_direction_changes_nothing_about_the_other() {
    let impairment = Impairment {
        loss: 0.2,
        ..roomy()
    };
    let received = |transmitted: u32| {
        with_impairment(
            impairment,
            impairment,
            5,
            |tasks, mut good, mut bad| async move {
                (0..COUNT).for_each(|index| send(&mut good, index));
                (0..transmitted).for_each(|index| send(&mut bad, index));
                let received = numbers(&receive_all(&tasks, &mut bad).await);
                (received, numbers(&receive_all(&tasks, &mut good).await))
            },
        )
    };
    let (alone, none) = received(0);
    let (beside, sent) = received(1_000);
    assert_eq!((alone, none), (beside.clone(), Vec::new()));
    let same_fate = beside.iter().copied().filter(|number| *number < 1_000);
    assert!(
        !sent.into_iter().eq(same_fate),
        "they have numbers of their own"
    );
}

#[test]
fn a_duplicate_follows_its_frame() {
    let impairment = Impairment {
        duplication: 0.25,
        ..roomy()
    };
    let (frames, counts) = through(impairment, 6, COUNT);
    assert!(is_share(counts.duplicated, 0.25), "{}", counts.duplicated);
    let mut numbers = numbers(&frames);
    assert_eq!(numbers.len() as u64, u64::from(COUNT) + counts.duplicated);
    assert!(numbers.is_sorted());
    numbers.dedup();
    assert_eq!(numbers, (0..COUNT).collect::<Vec<_>>());
}

#[test]
fn a_damaged_frame_has_one_wrong_bit() {
    let impairment = Impairment {
        corruption: 0.5,
        ..roomy()
    };
    let (frames, counts) = through(impairment, 7, COUNT);
    assert!(is_share(counts.corrupted, 0.5), "{}", counts.corrupted);
    assert_eq!(frames.len(), COUNT as usize);
    let mut damaged = 0;
    let mut places = [false; LENGTH * 8];
    for (index, (_, frame)) in frames.iter().enumerate() {
        let mut sent = [0; LENGTH];
        sent[..4].copy_from_slice(&(index as u32).to_be_bytes());
        let wrong = (0..LENGTH * 8)
            .filter(|bit| (sent[bit / 8] ^ frame[bit / 8]) >> (bit % 8) & 1 == 1)
            .collect::<Vec<_>>();
        assert!(wrong.len() <= 1, "frame {index}: {wrong:?}");
        damaged += wrong.len() as u64;
        wrong.into_iter().for_each(|bit| places[bit] = true);
    }
    assert_eq!(damaged, counts.corrupted);
    let hit = places.iter().filter(|hit| **hit).count();
    assert!(hit > LENGTH * 6, "only {hit} different bits");
}

#[test]
fn late_frames_are_overtaken() {
    let impairment = Impairment {
        reordering: 0.1,
        lag: Duration::from_millis(3),
        delay: Duration::from_millis(10),
        ..roomy()
    };
    let (frames, counts) = through(impairment, 8, COUNT);
    assert!(is_share(counts.reordered, 0.1), "{}", counts.reordered);
    let (punctual, late): (Vec<_>, Vec<_>) = frames
        .into_iter()
        .partition(|(took, _)| *took == Duration::from_millis(10));
    assert!(
        late.iter()
            .all(|(took, _)| *took == Duration::from_millis(13))
    );
    assert_eq!(late.len() as u64, counts.reordered);
    assert_eq!(punctual.len() + late.len(), COUNT as usize);
    assert!(numbers(&punctual).is_sorted() && numbers(&late).is_sorted());
}

#[test]
fn frames_take_their_time_and_keep_their_order() {
    let (delay, jitter) = (Duration::from_millis(20), Duration::from_millis(8));
    let impairment = Impairment {
        delay,
        jitter,
        ..Impairment::default()
    };
    with_impairment(
        Impairment::default(),
        impairment,
        9,
        |tasks, mut good, mut bad| async move {
            let mut took = Vec::new();
            for index in 0..200 {
                let start = tasks.now();
                send(&mut good, index);
                let frame = next(&tasks, &mut bad).await.expect("nothing is lost");
                assert_eq!(number(frame.as_ref()), index);
                took.push(tasks.now() - start);
            }
            let (least, most) = (took.iter().min(), took.iter().max());
            let (least, most) = (*least.expect("some"), *most.expect("some"));
            assert!(least >= delay && most <= delay + jitter);
            assert!(most - least > jitter / 2, "they hardly differ");
            (0..200).for_each(|index| send(&mut good, index));
            let together = receive_all(&tasks, &mut bad).await;
            assert_eq!(numbers(&together), (0..200).collect::<Vec<_>>());
        },
    );
}

#[test]
fn no_more_bits_pass_than_the_rate() {
    let impairment = Impairment {
        // A frame of 100 bytes takes 100 µs.
        rate: NonZeroU64::new(8_000_000),
        ..roomy()
    };
    let (frames, _) = through(impairment, 10, COUNT);
    for (index, (took, _)) in frames.iter().enumerate() {
        assert_eq!(*took, Duration::from_micros(100) * (index as u32 + 1));
    }
    assert_eq!(frames.len(), COUNT as usize);
}

#[test]
fn a_full_queue_loses_what_comes() {
    let impairment = Impairment {
        delay: Duration::from_millis(1),
        queue: 10,
        ..Impairment::default()
    };
    let (frames, counts) = through(impairment, 11, 50);
    // A batch is taken in before the first arrives.
    assert_eq!(numbers(&frames), (0..10).collect::<Vec<_>>());
    assert_eq!(counts.overflowed, 40);
}

#[test]
fn outgoing_frames_have_their_own_impairment() {
    let impairment = Impairment {
        loss: 0.5,
        delay: Duration::from_millis(7),
        ..roomy()
    };
    with_impairment(
        impairment,
        Impairment::default(),
        12,
        |tasks, mut good, mut bad| async move {
            (0..1_000).for_each(|index| send(&mut bad, index));
            // The frames move on while their own end is polled.
            let handle = bad.handle();
            tasks.spawn(async move { poll_fn(|context| bad.poll_ready(context)).await });
            let frames = receive_all(&tasks, &mut good).await;
            assert_eq!(frames.len() as u64, 1_000 - handle.outgoing().lost);
            assert!((400..600).contains(&frames.len()));
            assert!(
                frames
                    .iter()
                    .all(|(took, _)| *took == Duration::from_millis(7))
            );
            assert_eq!(handle.incoming(), ImpairmentCounts::default());
        },
    );
}

#[test]
fn nobody_is_woken_before_a_frame_is_due() {
    let impairment = Impairment {
        delay: Duration::from_secs(60),
        ..Impairment::default()
    };
    with_impairment(
        impairment,
        impairment,
        13,
        |tasks, mut good, mut bad| async move {
            send(&mut good, 1);
            let mut polls = 0;
            assert!(bad.receive().is_none());
            poll_fn(|context| {
                polls += 1;
                bad.poll_ready(context)
            })
            .await;
            assert_eq!((polls, tasks.now().as_millis()), (2, 60_000));
            assert!(bad.receive().is_some());
        },
    );
}

#[test]
fn a_slow_device_is_waited_for() {
    simulate(|tasks| async move {
        let (mut good, bad) = Link::pair(2);
        let unharmed = Impairment::default();
        let mut bad = ImpairedNet::new(bad, &tasks, unharmed, unharmed, 14);
        // Two in the device, and one that waits for it.
        (0..3).for_each(|index| send(&mut bad, index));
        assert!(!bad.can_transmit());
        assert_eq!(bad.transmit(20, |_| ()), Err(TransmitError::Full));
        let (start, reader) = (tasks.now(), tasks.clone());
        let reader = tasks.spawn(async move {
            reader.sleep(Duration::from_secs(1)).await;
            receive_all(&reader, &mut good).await
        });
        poll_fn(|context| bad.poll_ready(context)).await;
        assert_eq!(tasks.now() - start, Duration::from_secs(1));
        send(&mut bad, 3);
        while !bad.can_transmit() {
            poll_fn(|context| bad.poll_ready(context)).await;
        }
        bad.flush();
        let frames = reader.await.expect("it was not cancelled");
        assert_eq!(numbers(&frames), [0, 1, 2, 3]);
        assert_eq!(bad.handle().outgoing().overflowed, 0);
    });
}

#[test]
fn the_impairment_can_change() {
    with_impairment(
        Impairment::default(),
        Impairment::default(),
        15,
        |tasks, mut good, mut bad| async move {
            let handle = bad.handle();
            let total_loss = Impairment {
                loss: 1.0,
                ..Impairment::default()
            };
            for (index, impairment) in [
                (0, Impairment::default()),
                (1, total_loss),
                (2, Impairment::default()),
            ] {
                handle.set_incoming(impairment);
                handle.set_outgoing(impairment);
                send(&mut good, index);
                send(&mut bad, index);
                let arrives = (index != 1).then_some(index);
                let frame = next(&tasks, &mut bad).await;
                assert_eq!(frame.map(|frame| number(frame.as_ref())), arrives);
                assert_eq!(good.receive().map(|frame| number(&frame)), arrives);
            }
            assert_eq!((handle.incoming().lost, handle.outgoing().lost), (1, 1));
        },
    );
}

#[test]
fn too_long_frames_are_refused() {
    with_impairment(
        Impairment::default(),
        Impairment::default(),
        16,
        |_, _, mut bad| async move {
            assert_eq!(bad.transmit(1_518, |_| ()), Ok(()));
            assert_eq!(bad.transmit(1_519, |_| ()), Err(TransmitError::TooLong));
            assert_eq!(bad.handle().outgoing().frames, 1);
        },
    );
}
