//! What records cost, and how far that is from the limits.

use wasm::{CallLimits, Cost, STATE_BYTES_MAX};

use crate::commands::plugin::trials::Ran;
use crate::output;

/// Records whose cost is shown; of more, those that executed most.
const SHOWN_MAX: usize = 20;

/// What each record cost, and what the most that one did is of the limits.
pub(super) fn table(ran: &[Ran], limits: &CallLimits) -> String {
    let head = [
        "record",
        "outcome",
        "fuel",
        "memory",
        "host calls",
        "output bytes",
    ];
    let mut rows = vec![head.map(str::to_owned).to_vec()];
    let mut costly: Vec<usize> = (0..ran.len()).collect();
    costly.sort_by_key(|place| std::cmp::Reverse(ran.get(*place).and_then(fuel)));
    costly.truncate(SHOWN_MAX);
    costly.sort_unstable();
    for place in costly {
        let Some(ran) = ran.get(place) else { continue };
        let cost = &ran.cost;
        rows.push(vec![
            (place + 1).to_string(),
            ran.outcome.status().to_owned(),
            output::count_or_none(cost.fuel),
            output::count(cost.memory_bytes as u64),
            output::count(cost.host_calls.into()),
            output::count(cost.output_bytes as u64),
        ]);
    }
    let mut text = output::table(&rows);
    if ran.len() > SHOWN_MAX {
        let left = ran.len() - SHOWN_MAX;
        text.push_str(&format!("  and {left} others, which executed less\n"));
    }
    text.push_str(&headroom(ran.iter().map(|ran| &ran.cost), limits));
    text
}

fn fuel(ran: &Ran) -> Option<u64> {
    ran.cost.fuel
}

/// The most that one record used of each limit.
fn headroom<'a>(costs: impl Iterator<Item = &'a Cost> + Clone, limits: &CallLimits) -> String {
    let most = |of: fn(&Cost) -> u64| costs.clone().map(of).max().unwrap_or(0);
    let share = |what: &str, used: u64, max: u64| {
        let percent = used.saturating_mul(100).div_ceil(max.max(1));
        format!("{what} {percent} % of {}", output::count(max))
    };
    let parts = [
        share(
            "memory",
            most(|cost| cost.memory_bytes as u64),
            limits.memory_bytes_max as u64,
        ),
        share(
            "host calls",
            most(|cost| cost.host_calls.into()),
            limits.host_calls_max.into(),
        ),
        share(
            "output bytes",
            most(|cost| cost.output_bytes as u64),
            limits.output_bytes_max as u64,
        ),
    ];
    let mut text = format!("  at most: {}", parts.join(", "));
    let state = most(|cost| cost.state_bytes as u64);
    if state > 0 {
        let of_state = share("state bytes", state, STATE_BYTES_MAX as u64);
        text.push_str(&format!(", {of_state}"));
    }
    text.push('\n');
    text
}
