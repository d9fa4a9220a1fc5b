//! What agents want leave for.

use super::{Client, Result, task_path};
use crate::{Ack, NewPermission, Permission, PermissionWithdrawal};

impl Client {
    /// Wants leave for something.
    pub fn ask_permission(&self, task: &str, body: &NewPermission) -> Result<Ack> {
        self.post(&task_path(task, "/permission"), body)
    }

    /// Takes back what was asked for.
    pub fn withdraw_permission(&self, task: &str, body: &PermissionWithdrawal) -> Result<Ack> {
        self.post(&task_path(task, "/permission/withdraw"), body)
    }

    /// Lists what waits for leave.
    pub fn permissions(&self) -> Result<Vec<Permission>> {
        self.all("/v1/permissions?limit=1000")
    }
}
