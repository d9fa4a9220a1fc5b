//! Late results: taken up, or put away.

use kapell_model::{OfferId, TaskState, Text};

use super::require_state;
use crate::engine::Reply;
use crate::event::Event;
use crate::mutation::mutated;
use crate::rejection::Rejection;
use crate::state::{Offer, OfferState, State};

impl State {
    pub(super) fn accept_offer(&self, id: OfferId, out: &mut Vec<Event>) -> Result<Reply, Rejection> {
        let offer = self.open_offer(id)?;
        let task = self.task(offer.task);
        require_state(
            task,
            "accepting a late result",
            &[TaskState::Ready, TaskState::Deferred, TaskState::Assigned, TaskState::InProgress],
        )?;
        out.push(Event::OfferAccepted { offer: id, task: task.id });
        self.finished(task, (offer.agent, offer.assignment), offer.result.as_ref(), Some(id), out);
        Ok(Reply { offer: Some(id), ..Reply::about(task.id) })
    }

    pub(super) fn decline_offer(
        &self,
        id: OfferId,
        reason: &Text,
        out: &mut Vec<Event>,
    ) -> Result<Reply, Rejection> {
        let offer = self.open_offer(id)?;
        out.push(Event::OfferDeclined { offer: id, task: offer.task, reason: reason.clone() });
        Ok(Reply { offer: Some(id), ..Reply::about(offer.task) })
    }

    fn open_offer(&self, id: OfferId) -> Result<&Offer, Rejection> {
        let offer =
            self.offer(id).ok_or_else(|| Rejection::NotFound { what: "offer", given: id.to_string() })?;
        if offer.state != OfferState::Open && !mutated!(OfferTwice) {
            return Err(Rejection::Settled { what: id.to_string(), state: offer.state.as_str() });
        }
        Ok(offer)
    }
}
