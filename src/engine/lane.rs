//! Lanes: queues of bids. An auction always hashes to the same lane of a node; a lane takes what
//! waits, up to a bound, and has it judged in one transaction. Nobody waits for a timer.
//!
//! Lanes make bids cheap, not right: with several nodes, the row lock is the truth.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::{
    sync::{mpsc, oneshot},
    task::JoinHandle,
};

use super::{
    Core, Error,
    batch::{self, Verdict},
    place_bid::Job,
};

/// How bids queue.
#[derive(Debug, Clone, Copy)]
pub struct LaneSettings {
    /// How many lanes.
    pub lanes: usize,
    /// How many bids one transaction judges at most.
    pub batch: usize,
    /// How many bids a lane lets wait; one more is answered OVERLOADED.
    pub queue: usize,
}

type Reply = oneshot::Sender<Result<Verdict, Error>>;

/// The lanes of this node.
#[derive(Debug)]
pub(super) struct Lanes {
    /// Emptied when the house closes.
    queues: Mutex<Vec<mpsc::Sender<(Job, Reply)>>>,
    tasks: Mutex<Vec<JoinHandle<()>>>,
}

impl Lanes {
    pub fn start(core: &Arc<Core>, settings: LaneSettings) -> Self {
        let lanes = settings.lanes.max(1);
        let (queues, tasks) = (0..lanes)
            .map(|_| {
                let (sender, queue) = mpsc::channel(settings.queue.max(1));
                let lane = Lane { core: Arc::clone(core), queue, batch: settings.batch.max(1) };
                (sender, tokio::spawn(lane.run()))
            })
            .unzip();
        Self { queues: Mutex::new(queues), tasks: Mutex::new(tasks) }
    }

    /// Puts a bid in its auction's lane and waits for the verdict. A caller that goes away
    /// cancels nothing.
    pub async fn submit(&self, job: Job) -> Result<Verdict, Error> {
        let queue = {
            let queues = self.queues.lock().unwrap_or_else(PoisonError::into_inner);
            // The low bits of a version 7 UUID are random.
            let place = (job.auction.0.as_u128() & u128::from(u32::MAX)) as usize;
            let lane = place.checked_rem(queues.len()).ok_or(Error::Overloaded)?;
            queues.get(lane).ok_or(Error::Overloaded)?.clone()
        };
        let (reply, verdict) = oneshot::channel();
        queue.try_send((job, reply)).map_err(|_| Error::Overloaded)?;
        // A caller who is slow to look must not keep the lane from ending.
        drop(queue);
        verdict.await.map_err(|_| Error::Fault("a lane dropped a bid".to_owned()))?
    }

    pub async fn drain(&self) {
        self.queues.lock().unwrap_or_else(PoisonError::into_inner).clear();
        let tasks = {
            let mut tasks = self.tasks.lock().unwrap_or_else(PoisonError::into_inner);
            std::mem::take(&mut *tasks)
        };
        for task in tasks {
            if let Err(error) = task.await {
                tracing::error!(%error, "a lane ended badly");
            }
        }
    }
}

struct Lane {
    core: Arc<Core>,
    queue: mpsc::Receiver<(Job, Reply)>,
    batch: usize,
}

impl Lane {
    async fn run(mut self) {
        let mut waiting = Vec::with_capacity(self.batch);
        while self.queue.recv_many(&mut waiting, self.batch).await > 0 {
            metrics::histogram!("neighborbid_batch_bids").record(waiting.len() as f64);
            metrics::histogram!("neighborbid_lane_queue_bids").record(self.queue.len() as f64);
            let (jobs, replies): (Vec<Job>, Vec<Reply>) = waiting.drain(..).unzip();
            let verdicts = batch::settle(&self.core, &jobs).await;
            for (reply, verdict) in replies.into_iter().zip(verdicts) {
                // The caller may have gone away; the bid stands.
                let _ = reply.send(verdict);
            }
        }
    }
}
