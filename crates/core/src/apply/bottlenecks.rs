//! Bottlenecks, and what is done about them until it ends.

use kapell_model::{ActionId, BottleneckId, Moment, Text};

use crate::bottleneck::{
    ActionEnd, Bottleneck, BottleneckAction, Measure, Narrow, Remedy, Severity, need_of,
};
use crate::mutation::mutated;
use crate::state::State;

impl State {
    pub(super) fn bottleneck_found(
        &mut self,
        id: BottleneckId,
        about: &Narrow,
        (severity, measure): (Severity, Measure),
        detail: &Text,
    ) {
        let (at, detail) = (self.at, detail.clone());
        match self.bottlenecks.all.get_mut(&id) {
            Some(known) => {
                (known.severity, known.measure, known.detail) = (severity, measure, detail);
            }
            None => {
                let about = about.clone();
                self.bottlenecks.open.insert(about.clone(), id);
                self.bottlenecks.last_id = id.0;
                self.bottlenecks
                    .all
                    .insert(id, Bottleneck { id, about, severity, measure, detail, at, gone: None });
            }
        }
    }

    pub(super) fn bottleneck_gone(&mut self, id: BottleneckId, measure: Measure) {
        let at = self.at;
        if let Some(bottleneck) = self.bottlenecks.all.get_mut(&id) {
            bottleneck.gone = Some((at, measure));
            let about = bottleneck.about.clone();
            self.bottlenecks.open.remove(&about);
        }
        self.bottlenecks.forget();
    }

    pub(super) fn action_taken(
        &mut self,
        id: ActionId,
        bottleneck: BottleneckId,
        remedy: &Remedy,
        before: Measure,
        expires_at: Moment,
    ) {
        let (at, remedy) = (self.at, remedy.clone());
        if let Some(about) = self.bottlenecks.get(bottleneck).map(|it| it.about.clone()) {
            self.bottlenecks.last.insert((about, remedy.as_str()), id);
        }
        let action = BottleneckAction { id, bottleneck, remedy, at, expires_at, before, ended: None };
        self.bottlenecks.begin(&action);
        self.bottlenecks.last_action = id.0;
        self.bottlenecks.actions.insert(id, action.clone());
        self.view_kept(&action.remedy);
        self.view_shared(&action.remedy);
    }

    pub(super) fn action_ended(&mut self, id: ActionId, because: ActionEnd, after: Measure) {
        let at = self.at;
        if let Some(action) = self.bottlenecks.actions.get_mut(&id) {
            action.ended = Some((at, because, after));
            let action = action.clone();
            self.bottlenecks.end(&action);
            self.view_kept(&action.remedy);
            self.view_shared(&action.remedy);
        }
        self.bottlenecks.forget();
    }

    /// Turns what is held of a resource and only reads into shared, where it is to be, and looks anew at what waits for it.
    fn view_shared(&mut self, remedy: &Remedy) {
        if let Remedy::Sharing { resource } = remedy
            && let Some(narrow) = need_of(resource)
            && !mutated!(SharingNotSeen)
        {
            self.share_out(&narrow);
        }
    }

    /// Lets placing see for what agents are kept.
    fn view_kept(&mut self, remedy: &Remedy) {
        if let Remedy::Kept { agents, .. } = remedy {
            let kept = agents.iter().map(|&agent| (agent, self.kept_words(agent))).collect();
            self.situation.set_kept(kept);
        }
    }
}
