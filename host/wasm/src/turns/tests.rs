use super::*;

/// When everything happens, where shares have no bounds.
const NOW: Duration = Duration::ZERO;

/// Without threads for light parties.
fn turns(quick: usize, slow: usize) -> Turns<u32> {
    Turns::new(ByPace::of(0, quick, slow), CpuRules::default())
}

/// Turns on light, quick and slow threads, and those that wait.
fn counts(turns: &Turns<u32>) -> [usize; 4] {
    let [light, quick, slow] = Pace::ALL.map(|pace| turns.running(pace));
    [light, quick, slow, turns.waiting()]
}

fn ended(took: Duration, was_quick: bool) -> Ended {
    Ended {
        took,
        cpu: took,
        asked: None,
        was_quick,
    }
}

fn party(delivery_stream: u64, plugin: &str) -> Party {
    Party {
        account: AccountId::DEFAULT,
        delivery_stream,
        plugin: Some(PluginName::parse(plugin).unwrap()),
    }
}

/// A turn of any pace.
fn begin(turns: &mut Turns<u32>) -> Option<Next<u32>> {
    begin_at(turns, NOW)
}

fn begin_at(turns: &mut Turns<u32>, now: Duration) -> Option<Next<u32>> {
    let mut paces = Pace::ALL.into_iter();
    paces.find_map(|pace| turns.begin(pace, now))
}

fn order(turns: &mut Turns<u32>) -> Vec<u32> {
    std::iter::from_fn(|| begin(turns).map(|next| next.job)).collect()
}

const MOMENT: Duration = Duration::from_millis(1);

/// Every turn takes a moment; the jobs in the order in which they had theirs.
fn one_after_the_other(turns: &mut Turns<u32>) -> Vec<u32> {
    let mut had = Vec::new();
    while let Some(Next { party, pace, job }) = begin(turns) {
        turns.end(&party, pace, ended(MOMENT, true), NOW);
        had.push(job);
    }
    had
}

#[test]
fn parties_take_turns_however_much_one_of_them_asks() {
    let mut turns = turns(1, 1);
    for job in 0..4 {
        turns.ask(party(1, "a"), false, job, NOW);
    }
    turns.ask(party(2, "a"), false, 10, NOW);
    turns.ask(party(2, "a"), false, 11, NOW);
    assert_eq!(one_after_the_other(&mut turns), [0, 10, 1, 11, 2, 3]);
}

#[test]
fn who_comes_after_a_pause_has_saved_up_nothing() {
    let mut turns = turns(1, 1);
    for job in 0..5 {
        turns.ask(party(1, "a"), false, job, NOW);
    }
    for _ in 0..3 {
        let Next { party, pace, .. } = begin(&mut turns).unwrap();
        turns.end(&party, pace, ended(MOMENT, true), NOW);
    }
    for job in 10..13 {
        turns.ask(party(2, "a"), false, job, NOW);
    }
    assert_eq!(one_after_the_other(&mut turns), [10, 3, 11, 4, 12]);
}

#[test]
fn threads_are_shared_out_by_plugin_before_by_delivery_stream() {
    let mut turns = turns(3, 1);
    for stream in 1..=3 {
        turns.ask(
            party(stream, "many"),
            false,
            u32::try_from(stream).unwrap(),
            NOW,
        );
    }
    turns.ask(party(9, "one"), false, 9, NOW);
    assert_eq!(order(&mut turns), [1, 9, 2], "three threads");
}

#[test]
fn slow_turns_leave_the_quick_threads_to_others() {
    let mut turns = turns(2, 2);
    for stream in 1..=2 {
        turns.ask(party(stream, "loops"), false, 0, NOW);
        let next = begin(&mut turns).unwrap();
        assert_eq!(next.pace, Pace::Quick);
        assert!(turns.turn_slow(&next.party, next.pace));
    }
    assert_eq!(counts(&turns), [0, 0, 2, 0]);
    turns.ask(party(1, "loops"), false, 1, NOW);
    turns.ask(party(2, "loops"), false, 2, NOW);
    turns.ask(party(9, "victim"), false, 9, NOW);
    turns.ask(party(9, "victim"), false, 10, NOW);
    assert_eq!(order(&mut turns), [9, 10], "both quick threads");
    assert_eq!(counts(&turns), [0, 2, 2, 2]);
    turns.end(&party(2, "loops"), Pace::Slow, ended(MOMENT, false), NOW);
    assert_eq!(order(&mut turns), [2], "who has no turn comes first");
}

#[test]
fn a_turn_that_becomes_slow_while_all_slow_threads_are_taken_does_not_go_over() {
    let mut turns = turns(1, 1);
    for (stream, goes_over) in [(1, true), (2, false)] {
        turns.ask(party(stream, "loops"), false, 0, NOW);
        let next = begin(&mut turns).unwrap();
        assert_eq!(turns.turn_slow(&next.party, next.pace), goes_over);
    }
    assert_eq!(counts(&turns), [0, 1, 1, 0]);
}

#[test]
fn who_was_slow_is_trusted_again_after_enough_quick_turns() {
    let mut turns = turns(1, 1);
    let slow = party(1, "sometimes");
    turns.ask(slow.clone(), false, 0, NOW);
    begin(&mut turns).unwrap();
    assert!(turns.turn_slow(&slow, Pace::Quick));
    turns.end(&slow, Pace::Slow, ended(MOMENT, false), NOW);
    for turn in 0..QUICK_TURNS_TO_BE_TRUSTED {
        assert!(turns.is_slow(&slow));
        turns.ask(slow.clone(), false, turn, NOW);
        assert_eq!(begin(&mut turns).unwrap().pace, Pace::Slow);
        turns.end(&slow, Pace::Slow, ended(MOMENT, true), NOW);
    }
    assert!(!turns.is_slow(&slow));
    turns.ask(slow, false, 0, NOW);
    assert_eq!(begin(&mut turns).unwrap().pace, Pace::Quick);
}

/// A party whose turns had a processor for so long, until now.
fn used(turns: &mut Turns<u32>, party: &Party, cpu: Duration, now: Duration) {
    turns.ask(party.clone(), false, 0, now);
    let next = begin_at(turns, now).unwrap();
    turns.end(party, next.pace, ended(cpu, true), now);
}

#[test]
fn who_uses_little_finds_a_thread_while_those_who_use_much_have_all_others() {
    let mut turns = Turns::new(ByPace::of(1, 2, 1), CpuRules::default());
    for stream in 1..=3 {
        used(&mut turns, &party(stream, "busy"), LIGHT_BURST * 2, NOW);
    }
    for stream in 1..=3 {
        turns.ask(party(stream, "busy"), false, 1, NOW);
    }
    assert_eq!(
        order(&mut turns),
        [1, 1],
        "both quick threads, not the light one"
    );
    turns.ask(party(9, "victim"), false, 9, NOW);
    assert_eq!(begin(&mut turns).unwrap().pace, Pace::Light);
    assert_eq!(counts(&turns), [1, 2, 0, 1]);
}

#[test]
fn those_who_use_little_have_the_quick_threads_too_where_the_light_ones_are_taken() {
    let mut turns = Turns::new(ByPace::of(1, 2, 1), CpuRules::default());
    for stream in 1..=4 {
        turns.ask(party(stream, "light"), false, 1, NOW);
    }
    assert!(
        turns.begin(Pace::Quick, NOW).is_none(),
        "while a light thread is free it is for that one"
    );
    assert_eq!(order(&mut turns), [1, 1, 1]);
    assert_eq!(counts(&turns), [1, 2, 0, 1]);
}

/// A quick thread looked for it again and again without a pause.
#[test]
fn a_quick_thread_does_not_wait_for_a_turn_that_it_may_not_have() {
    let mut turns = Turns::new(ByPace::of(1, 1, 1), CpuRules::default());
    turns.ask(party(1, "light"), false, 1, NOW);
    assert!(turns.begin(Pace::Quick, NOW).is_none());
    assert_eq!(turns.opens_at(Pace::Quick, NOW), None);
    assert!(turns.opens_at(Pace::Light, NOW).is_some());
    turns.lacks_light(true);
    assert!(turns.opens_at(Pace::Quick, NOW).is_some());
    assert_eq!(turns.begin(Pace::Quick, NOW).unwrap().job, 1);
}

#[test]
fn who_used_much_uses_little_again_after_a_pause() {
    let mut turns = Turns::new(ByPace::of(1, 1, 1), CpuRules::default());
    let busy = party(1, "busy");
    used(&mut turns, &busy, Duration::from_secs(60), NOW);
    let pace_at = |turns: &mut Turns<u32>, now| {
        turns.ask(busy.clone(), false, 0, now);
        let next = begin_at(turns, now).unwrap();
        turns.end(&busy, next.pace, ended(Duration::ZERO, true), now);
        next.pace
    };
    let pause = (LIGHT_USE_MAX - LIGHT_BURST) * 1_000 / LIGHT_MS_PER_SECOND;
    assert_eq!(pace_at(&mut turns, NOW), Pace::Quick);
    assert_eq!(pace_at(&mut turns, pause - MOMENT * 20), Pace::Quick);
    assert_eq!(pace_at(&mut turns, pause + MOMENT * 20), Pace::Light);
}

#[test]
fn parties_that_used_nothing_lately_are_forgotten_and_busy_ones_are_not() {
    let mut turns = Turns::new(ByPace::of(1, 1, 1), CpuRules::default());
    let busy = party(1, "busy");
    used(&mut turns, &busy, LIGHT_USE_MAX, NOW);
    for stream in 2..5_000 {
        let now = MOMENT * u32::try_from(stream).unwrap() / 10;
        used(&mut turns, &party(stream, "light"), MOMENT / 100, now);
        assert!(turns.parties.len() <= 3 * LOOKED_OVER_MIN);
        assert_eq!(turns.running_of(stream), 0);
    }
    turns.ask(busy, false, 0, MOMENT * 500);
    assert_eq!(
        begin_at(&mut turns, MOMENT * 500).unwrap().pace,
        Pace::Quick
    );
    assert_eq!((turns.running_of(1), turns.running_of(2)), (1, 0));
}

/// A small generator of numbers that repeat for a seed.
fn random(seed: &mut u64, below: u64) -> u64 {
    *seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
    (*seed >> 33) % below
}

/// Two accounts at work on some threads: one with many plugins that always want more and take
/// long, and one that asks for a short turn now and then.
struct Simulation {
    turns: Turns<u32>,
    seed: u64,
    now: Duration,
    /// Who has a thread until when, and since when.
    running: Vec<(Duration, Duration, Party)>,
    /// How long the greedy account had a processor.
    greedy: Duration,
}

const GREEDY: u32 = 0;
const VICTIM: u32 = 1;
const LONGEST: Duration = Duration::from_millis(120);

fn of(account: &str, number: u64) -> Party {
    Party {
        account: AccountId::parse(account).unwrap(),
        ..party(number, &format!("plugin-{number}"))
    }
}

impl Simulation {
    fn of_greedy(&mut self) -> Party {
        of("111111111111", random(&mut self.seed, 20))
    }

    /// Goes on until the victim's turn begins, or for so long; how long it waited.
    fn run(&mut self, most: Duration) -> Option<Duration> {
        let from = self.now;
        while self.now < from + most {
            for pace in [Pace::Quick, Pace::Slow] {
                while let Some(next) = self.turns.begin(pace, self.now) {
                    let took = match next.job {
                        VICTIM => MOMENT,
                        _ => MOMENT + MOMENT * u32::try_from(random(&mut self.seed, 119)).unwrap(),
                    };
                    self.running.push((self.now + took, self.now, next.party));
                    if next.job == VICTIM {
                        return Some(self.now - from);
                    }
                    let more = self.of_greedy();
                    self.turns.ask(more, false, GREEDY, self.now);
                }
            }
            let ends = self.running.iter().map(|(end, ..)| *end);
            let opens = self.turns.opens_at(Pace::Quick, self.now);
            self.now = ends.chain(opens).min().unwrap().max(self.now + MOMENT / 10);
            self.end_turns();
        }
        None
    }

    fn end_turns(&mut self) {
        let (now, turns, greedy) = (self.now, &mut self.turns, &mut self.greedy);
        self.running.retain(|(end, begun, party)| {
            let goes_on = *end > now;
            if !goes_on {
                let took = *end - *begun;
                if *party != of("222222222222", 99) {
                    *greedy += took;
                }
                turns.end(party, Pace::Quick, ended(took, true), now);
            }
            goes_on
        });
    }
}

/// However many plugins an account has and however long their turns are, another one waits for
/// no more than one of these turns, and the first takes no more than its share.
#[test]
fn an_account_with_many_plugins_starves_no_other_and_keeps_to_its_share() {
    for seed in 0..40 {
        let threads = 1 + usize::try_from(seed % 3).unwrap();
        let rules = CpuRules {
            plugin_ms_per_second: 0,
            account_ms_per_second: if seed % 2 == 0 { 0 } else { 300 },
        };
        let mut world = Simulation {
            turns: Turns::new(ByPace::of(0, threads, 1), rules),
            seed,
            now: NOW,
            running: Vec::new(),
            greedy: NOW,
        };
        for _ in 0..50 {
            let more = world.of_greedy();
            world.turns.ask(more, false, GREEDY, world.now);
        }
        for _ in 0..200 {
            let pause = MOMENT * u32::try_from(1 + random(&mut world.seed, 300)).unwrap();
            assert_eq!(world.run(pause), None);
            world
                .turns
                .ask(of("222222222222", 99), false, VICTIM, world.now);
            let waited = world.run(10 * LONGEST);
            let waited = waited.unwrap_or_else(|| panic!("seed {seed}: it waits"));
            assert!(waited <= LONGEST, "seed {seed}: it waited for {waited:?}");
        }
        if rules.account_ms_per_second > 0 {
            let threads = u32::try_from(threads).unwrap();
            let most = world.now * 3 / 10 + Duration::from_millis(300) + LONGEST * threads;
            assert!(
                world.greedy <= most,
                "seed {seed}: {:?} > {most:?}",
                world.greedy
            );
            assert!(
                world.greedy * 2 > world.now * 3 / 10,
                "seed {seed}: it had its share"
            );
        }
    }
}
