use super::*;

const PLENTY: usize = usize::MAX;

/// A batch of lines that name their lane and their arrival.
fn batch(id: LaneId, arrivals: &[u64]) -> Batch {
    let mut batch = Batch::default();
    for arrival_ms in arrivals {
        let line = format!("{id} {arrival_ms}\n");
        batch.text().extend_from_slice(line.as_bytes());
        batch.end_line(*arrival_ms);
    }
    batch
}

fn come(merge: &mut Merge, id: LaneId, arrivals: &[u64], standing: Standing) {
    let seen_to_ms = arrivals.last().copied().unwrap_or(0);
    merge.come(id, batch(id, arrivals), standing, seen_to_ms);
}

fn lanes(count: LaneId) -> Merge {
    let mut merge = Merge::new();
    (0..count).for_each(|id| merge.add(id, Standing::Behind));
    merge
}

fn taken(merge: &mut Merge) -> Vec<(LaneId, u64)> {
    let mut out = Vec::new();
    let count = merge.take(&mut out, PLENTY, PLENTY);
    let lines = String::from_utf8(out).unwrap();
    let lines = lines.lines().map(|line| {
        let (id, arrival_ms) = line.split_once(' ').unwrap();
        (id.parse().unwrap(), arrival_ms.parse().unwrap())
    });
    let lines: Vec<_> = lines.collect();
    assert_eq!(lines.len(), count);
    lines
}

#[test]
fn lines_come_out_by_arrival_and_wait_for_a_lane_that_is_behind() {
    let mut merge = lanes(2);
    come(&mut merge, 0, &[10, 30, 50], Standing::Behind);
    assert_eq!(taken(&mut merge), []);
    come(&mut merge, 1, &[20, 40], Standing::Behind);
    // After 40 something earlier than 50 may come of lane 1.
    assert_eq!(taken(&mut merge), [(0, 10), (1, 20), (0, 30), (1, 40)]);
    come(&mut merge, 1, &[45], Standing::AtTip);
    assert_eq!(taken(&mut merge), [(1, 45), (0, 50)]);
}

#[test]
fn a_lane_at_its_tip_holds_nobody_up() {
    let mut merge = lanes(2);
    come(&mut merge, 0, &[], Standing::AtTip);
    come(&mut merge, 1, &[10, 20], Standing::Behind);
    assert_eq!(taken(&mut merge), [(1, 10), (1, 20)]);
}

/// None of thousands of records is wanted, and yet they tell from when on the next one is.
#[test]
fn a_lane_of_which_nothing_is_wanted_lets_earlier_lines_of_others_go() {
    let mut merge = lanes(2);
    come(&mut merge, 0, &[10, 20, 30], Standing::Behind);
    merge.come(1, Batch::default(), Standing::Behind, 20);
    assert_eq!(taken(&mut merge), [(0, 10), (0, 20)]);
}

#[test]
fn nothing_goes_between_the_end_of_a_lane_and_what_comes_of_it() {
    let mut merge = lanes(2);
    come(&mut merge, 0, &[10], Standing::AtEnd);
    come(&mut merge, 1, &[5, 20, 30], Standing::AtTip);
    assert_eq!(taken(&mut merge), [(1, 5), (0, 10)]);
    assert_eq!(taken(&mut merge), []);
    assert_eq!(merge.ended(), [0]);
    merge.add(2, Standing::Behind);
    assert_eq!(taken(&mut merge), []);
    come(&mut merge, 2, &[25], Standing::AtTip);
    assert_eq!(taken(&mut merge), [(1, 20), (2, 25), (1, 30)]);
    assert_eq!(merge.lanes(), 2);
}

#[test]
fn an_empty_lane_ends_at_once() {
    let mut merge = lanes(1);
    come(&mut merge, 0, &[], Standing::AtEnd);
    assert_eq!((merge.ended(), merge.lanes()), (vec![0], 0));
}

#[test]
fn no_more_is_held_than_may_be_though_a_lane_says_nothing() {
    let mut merge = Merge::holding(4, PLENTY);
    (0..2).for_each(|id| merge.add(id, Standing::Behind));
    come(&mut merge, 0, &[1, 2, 3, 4, 5, 6], Standing::Behind);
    assert_eq!(taken(&mut merge), [(0, 1), (0, 2)]);
    assert!(!merge.wants(0) && merge.wants(1));
    let mut merge = Merge::holding(PLENTY, 5);
    (0..2).for_each(|id| merge.add(id, Standing::Behind));
    come(&mut merge, 0, &[1, 2, 3], Standing::Behind);
    assert_eq!(taken(&mut merge), [(0, 1), (0, 2)]);
}

#[test]
fn so_many_are_taken_as_are_asked_for_and_no_more_once_there_are_bytes_enough() {
    let mut merge = lanes(1);
    come(&mut merge, 0, &[1, 2, 3, 4], Standing::Behind);
    let mut out = Vec::new();
    assert_eq!(merge.take(&mut out, 1, PLENTY), 1);
    assert_eq!(merge.take(&mut out, PLENTY, 9), 2);
    assert_eq!(out, b"0 1\n0 2\n0 3\n");
    assert!(merge.freed().is_empty());
    assert_eq!(merge.take(&mut out, PLENTY, PLENTY), 1);
    assert_eq!(merge.freed(), [0]);
}

#[test]
fn one_batch_is_read_ahead_while_another_is_taken() {
    let mut merge = lanes(1);
    assert!(merge.wants(0));
    come(&mut merge, 0, &[1], Standing::Behind);
    assert!(merge.wants(0));
    come(&mut merge, 0, &[2], Standing::Behind);
    assert!(!merge.wants(0));
    assert_eq!(taken(&mut merge).len(), 2);
    assert!(merge.wants(0));
}

/// Numbers that only look random, the same in each run.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, end: u64) -> u64 {
        let next = self.0.wrapping_mul(6_364_136_223_846_793_005);
        self.0 = next.wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % end
    }
}

/// Lanes of any lengths are read in any order, in batches of any size.
#[test]
fn a_whole_history_comes_out_sorted_each_lane_in_its_order_and_nothing_twice() {
    for seed in 0..500 {
        let mut numbers = Numbers(seed);
        let count = 1 + numbers.below(6);
        let mut merge = lanes(count);
        let mut left: Vec<VecDeque<u64>> = (0..count)
            .map(|_| {
                let mut at = numbers.below(20);
                let lines = numbers.below(30);
                let rising = (0..lines).map(|_| {
                    at += numbers.below(5);
                    at
                });
                rising.collect()
            })
            .collect();
        let mut all: Vec<(u64, LaneId)> = (0..)
            .zip(&left)
            .flat_map(|(id, lines)| lines.iter().map(move |arrival_ms| (*arrival_ms, id)))
            .collect();
        all.sort_unstable();
        let mut out = Vec::new();
        let mut reading: Vec<LaneId> = (0..count).collect();
        while !reading.is_empty() {
            let place = usize::try_from(numbers.below(reading.len() as u64)).unwrap();
            let id = reading[place];
            if merge.wants(id) {
                let lines = &mut left[usize::try_from(id).unwrap()];
                let size = usize::try_from(numbers.below(8)).unwrap().min(lines.len());
                let some: Vec<u64> = lines.drain(..size).collect();
                let standing = if lines.is_empty() {
                    reading.remove(place);
                    Standing::AtEnd
                } else {
                    Standing::Behind
                };
                let arrivals = some.last().copied();
                let batch = batch(id, &some);
                merge.come(id, batch, standing, arrivals.unwrap_or(0));
            }
            out.extend(taken(&mut merge));
            while !merge.ended().is_empty() {
                out.extend(taken(&mut merge));
            }
        }
        assert_eq!(merge.lanes(), 0, "seed {seed}");
        assert!(
            out.is_sorted_by_key(|(_, arrival_ms)| *arrival_ms),
            "seed {seed}"
        );
        let mut sorted: Vec<_> = out.iter().map(|(id, at)| (*at, *id)).collect();
        sorted.sort_unstable();
        assert_eq!(sorted, all, "seed {seed}");
    }
}
