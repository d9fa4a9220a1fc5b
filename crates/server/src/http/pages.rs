//! Pages of lists out of which items may go while they are read: a cursor is the place of the last item of a page, so that the next
//! one leaves nothing out.

use kapell_api::{Page, Problem};
use kapell_model::{MessageId, Name, TaskId};
use serde::Deserialize;
use utoipa::IntoParams;

use super::agents::limit;

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct ListQuery {
    /// `next_cursor` of the page before.
    cursor: Option<String>,
    /// Items a page, 1 to 1000; 100 where absent.
    limit: Option<usize>,
}

/// Where an item stands in its list.
pub(super) trait Place: PartialOrd + Sized {
    fn read(text: &str) -> Option<Self>;
    fn shown(&self) -> String;
}

impl Place for (TaskId, TaskId) {
    fn read(text: &str) -> Option<Self> {
        let (first, then) = text.split_once(',')?;
        Some((first.parse().ok()?, then.parse().ok()?))
    }

    fn shown(&self) -> String {
        format!("{},{}", self.0, self.1)
    }
}

impl Place for Name {
    fn read(text: &str) -> Option<Self> {
        Self::new(text).ok()
    }

    fn shown(&self) -> String {
        self.to_string()
    }
}

/// A message in an inbox: its own place, or behind the one that was the newest when there was room for it.
impl Place for (MessageId, Option<MessageId>) {
    fn read(text: &str) -> Option<Self> {
        match text.split_once(',') {
            Some((behind, id)) => Some((behind.parse().ok()?, Some(id.parse().ok()?))),
            None => Some((text.parse().ok()?, None)),
        }
    }

    fn shown(&self) -> String {
        match self.1 {
            Some(id) => format!("{},{id}", self.0),
            None => self.0.to_string(),
        }
    }
}

impl ListQuery {
    /// Returns a page of `all`, which come in the order of their places.
    pub(super) fn page<P: Place, I, T>(
        &self,
        all: impl Iterator<Item = (P, I)>,
        mut show: impl FnMut(&P, I) -> T,
    ) -> Result<Page<T>, Problem> {
        let unknown =
            || Problem::field("cursor", "an unknown cursor", "the `next_cursor` of the page before");
        let from = self.cursor.as_deref().map(|text| P::read(text).ok_or_else(unknown)).transpose()?;
        let limit = limit(self.limit)?;
        let mut left =
            all.skip_while(|(place, _)| from.as_ref().is_some_and(|from| place <= from)).peekable();
        let (mut items, mut last) = (Vec::new(), None);
        for (place, item) in left.by_ref().take(limit) {
            items.push(show(&place, item));
            last = Some(place);
        }
        let more = left.peek().is_some();
        Ok(Page { items, next_cursor: last.filter(|_| more).map(|last| last.shown()) })
    }
}
