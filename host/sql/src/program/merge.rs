//! Rows of several writers or streams, in the order of ROWTIME.

use std::collections::VecDeque;

use crate::batch::{Batch, Millis};

/// Batches of several origins, each in its own order, so that ROWTIME never falls from one piece to
/// the next. Rows of the same ROWTIME come in the order of their origins, so that the result does
/// not depend on how they were cut. Each piece is with the number of its origin.
pub fn merged(origins: Vec<Vec<Batch>>) -> Vec<(usize, Batch)> {
    let mut waiting: Vec<VecDeque<Batch>> = Vec::with_capacity(origins.len());
    for batches in origins {
        let batches = batches.into_iter().filter(|batch| batch.rows() > 0);
        waiting.push(batches.collect());
    }
    let mut pieces = Vec::new();
    loop {
        let next = |batches: &VecDeque<Batch>| batches.front().map(first);
        let mut heads: Vec<(Millis, usize)> = waiting
            .iter()
            .enumerate()
            .filter_map(|(origin, batches)| next(batches).map(|time| (time, origin)))
            .collect();
        heads.sort_unstable();
        let Some((_, origin)) = heads.first().copied() else {
            return pieces;
        };
        let Some(batch) = waiting[origin].pop_front() else {
            return pieces;
        };
        let rows = match heads.get(1) {
            None => batch.rows(),
            Some((time, other)) => {
                let times = batch.rowtimes().values();
                times.partition_point(|row| *row < *time || *row == *time && origin < *other)
            }
        };
        let rest = batch.rows() - rows;
        if rest > 0 {
            waiting[origin].push_front(batch.slice(rows, rest));
            pieces.push((origin, batch.slice(0, rows)));
        } else {
            pieces.push((origin, batch));
        }
    }
}

fn first(batch: &Batch) -> Millis {
    batch.rowtimes().value(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::batch::timestamps;

    fn batch(times: &[Millis]) -> Batch {
        Batch::new(vec![timestamps(times.to_vec())])
    }

    fn rows(pieces: &[(usize, Batch)]) -> Vec<(Millis, usize)> {
        let rows = pieces.iter().flat_map(|(origin, batch)| {
            let times = batch.rowtimes().values().to_vec();
            times.into_iter().map(|time| (time, *origin))
        });
        rows.collect()
    }

    #[test]
    fn rows_of_all_origins_come_in_the_order_of_their_time() {
        let pieces = merged(vec![
            vec![batch(&[1, 5]), batch(&[5, 9])],
            vec![batch(&[0, 5, 6])],
            vec![],
        ]);
        let wanted = [(0, 1), (1, 0), (5, 0), (5, 0), (5, 1), (6, 1), (9, 0)];
        assert_eq!(rows(&pieces), wanted);
    }

    #[test]
    fn cutting_the_batches_elsewhere_changes_no_order() {
        let whole = merged(vec![vec![batch(&[1, 2, 2, 3])], vec![batch(&[2, 2, 4])]]);
        let cut = merged(vec![
            vec![batch(&[1, 2]), batch(&[2]), batch(&[3])],
            vec![batch(&[2]), batch(&[2, 4])],
        ]);
        assert_eq!(rows(&whole), rows(&cut));
    }
}
