//! What a fleet lives through. Each scenario prepares, then measures.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use device::{Address, Outcome, Rung};
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::figures::Figures;
use super::member::{Household, Member, World};
use super::wire::Net;
use crate::command::Ui;

/// A fleet at work, its world, and how long it may take.
pub(super) struct Fleet {
    pub(super) world: World,
    pub(super) members: Vec<Member>,
    pub(super) house: Option<Arc<Household>>,
    /// When measuring ends whatever is still under way.
    pub(super) duration: Duration,
    /// Devices that begin in a second; all at once without.
    pub(super) rate: Option<u32>,
    pub(super) ui: Ui,
}

/// What came of a part.
pub(super) struct Lived {
    pub(super) took: Duration,
    pub(super) figures: Value,
    /// Devices that reached what they wanted.
    pub(super) done: u64,
    /// When each of them did, seconds of the timeline.
    pub(super) ends: Vec<i64>,
}

/// What one device came to: when it was done, or not.
type End = (Member, Option<i64>);

impl Fleet {
    /// Every device calls home for the first time, and is registered with its customer where
    /// there is one.
    pub(super) async fn day_one(&mut self) -> Lived {
        let house = self.house.clone();
        self.each(self.rate, async |world: &World, member: &mut Member| {
            let awake = world.timeline.wake();
            let Ok(called) = member.call_home(world, &awake).await else { return None };
            if let Some(house) = &house {
                member.be_registered(world, &awake, house, &called.did).await.ok()?;
            }
            member.hang_up();
            Some(world.timeline.now())
        })
        .await
    }

    /// Every device calls home again, all of them at the same moment.
    pub(super) async fn reconnect_storm(&mut self) -> Lived {
        self.each(self.rate, async |world: &World, member: &mut Member| {
            let awake = world.timeline.wake();
            let called = member.call_home(world, &awake).await.ok().map(|_| world.timeline.now());
            member.hang_up();
            called
        })
        .await
    }

    /// Every device lives until its asset token is renewed by its key.
    pub(super) async fn mass_renewal(&mut self, token_url: &Address) -> Lived {
        let token_url = token_url.clone();
        // No rate: when a device comes is what is to be seen.
        self.each(None, async |world: &World, member: &mut Member| {
            let awake = world.timeline.wake();
            let asset = member.asset.clone()?;
            let renewed = member.renew(world, &awake, asset, &token_url).await.ok()?;
            member.hang_up();
            let Outcome::Asset { kept, by } = renewed.outcome else { return None };
            let at = kept.received_at;
            member.asset = Some(kept);
            (by == Rung::Key).then_some(at)
        })
        .await
    }

    /// Lets every device do its work, tells of each second, and counts.
    async fn each<W>(&mut self, rate: Option<u32>, work: W) -> Lived
    where
        W: AsyncFn(&World, &mut Member) -> Option<i64>,
    {
        let net = &self.world.net;
        self.world.net = Arc::new(Net {
            roots: Arc::clone(&net.roots),
            figures: Figures::default(),
            tasks: net.tasks.clone(),
            room: Arc::clone(&net.room),
        });
        let (world, members) = (&self.world, std::mem::take(&mut self.members));
        let began = Instant::now();
        let mut running: FuturesUnordered<_> = members
            .into_iter()
            .enumerate()
            .map(|(number, mut member)| {
                let (work, begins) = (&work, rate.map(|rate| start_of(number, rate)));
                async move {
                    if let Some(begins) = begins {
                        tokio::time::sleep_until(began + begins).await;
                    }
                    let end = work(world, &mut member).await;
                    if end.is_some() {
                        world.net.figures.done();
                    }
                    (member, end)
                }
            })
            .collect();
        let mut ends: Vec<End> = Vec::new();
        let mut seconds = 0;
        let mut tick = tokio::time::interval(Duration::from_secs(1));
        tick.tick().await;
        let over = tokio::time::sleep(self.duration);
        tokio::pin!(over);
        let conducting = world.timeline.conduct();
        tokio::pin!(conducting);
        loop {
            tokio::select! {
                end = running.next() => match end {
                    Some(end) => ends.push(end),
                    None => break,
                },
                _ = tick.tick() => {
                    seconds += 1;
                    self.ui.live(&world.net.figures.line(seconds));
                }
                () = &mut conducting => {}
                () = &mut over => break,
            }
        }
        drop(running);
        let took = began.elapsed();
        let figures = world.net.figures.object(took);
        let done = world.net.figures.done_count();
        let times = ends.iter().filter_map(|(_, at)| *at).collect();
        self.members = ends.into_iter().map(|(member, _)| member).collect();
        Lived { took, figures, done, ends: times }
    }
}

fn start_of(number: usize, rate: u32) -> Duration {
    let number = u32::try_from(number).unwrap_or(u32::MAX);
    Duration::from_secs(1).saturating_mul(number) / rate.max(1)
}

/// How renewals spread over the life of tokens that came at about `begun`.
pub(super) fn spread(ends: &[i64], begun: i64) -> Value {
    let (Some(first), Some(last)) = (ends.iter().min(), ends.iter().max()) else {
        return Value::Null;
    };
    let mut minutes: BTreeMap<i64, u64> = BTreeMap::new();
    ends.iter().for_each(|end| *minutes.entry((end - first) / 60).or_default() += 1);
    let most = minutes.values().max().copied().unwrap_or(0);
    let length = (last - first) / 60 + 1;
    json!({
        "first_after_seconds": first - begun,
        "last_after_seconds": last - begun,
        "most_in_a_minute": most,
        "mean_in_a_minute": ((ends.len() as f64 / length as f64) * 10.0).round() / 10.0,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_spread_tells_its_ends_its_peak_and_its_mean() {
        let told = spread(&[1_000, 1_010, 1_030, 1_100, 1_179], 0);
        assert_eq!(
            told,
            json!({
                "first_after_seconds": 1_000, "last_after_seconds": 1_179, "most_in_a_minute": 3, "mean_in_a_minute": 1.7,
            })
        );
        assert_eq!(spread(&[], 0), Value::Null);
    }

    #[test]
    fn a_rate_gives_every_device_its_moment() {
        assert_eq!(start_of(0, 50), Duration::ZERO);
        assert_eq!(start_of(100, 50), Duration::from_secs(2));
    }
}
