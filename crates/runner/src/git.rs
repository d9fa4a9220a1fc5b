//! Worktrees, by the `git` command line.
//!
//! An agent can write to the repository's configuration and hooks. So git runs here without hooks, monitors and external
//! programs for differences, and in an environment without secrets.

use std::fs::File;
use std::path::{Component, Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;

use rustix::fs::{FlockOperation, flock};
use serde::{Deserialize, Serialize};

/// Why git did not do something.
#[derive(Debug, thiserror::Error)]
pub(crate) enum GitError {
    /// It could not be started.
    #[error("git cannot be started")]
    NotStarted(#[source] std::io::Error),
    /// It refused.
    #[error("`git {what}` in {place}: {told}")]
    Refused {
        /// The command.
        what: String,
        /// Where.
        place: String,
        /// What it said.
        told: String,
    },
}

type Result<T> = std::result::Result<T, GitError>;

/// Branches of one task are numbered up to here.
const BRANCHES_MAX: u32 = 1_000;

/// A repository that worktrees are made of.
#[derive(Debug)]
pub(crate) struct Repository {
    pub(crate) root: PathBuf,
    /// Where all its worktrees have their common files.
    common: PathBuf,
    /// `git worktree add` does not bear another one beside it.
    adding: Mutex<()>,
}

/// What stands on a branch beyond where it began.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Change {
    pub(crate) commit: String,
    pub(crate) commits: u32,
    /// As git writes it: `2 files changed, 3 insertions(+)`.
    pub(crate) stat: String,
}

impl Repository {
    /// Opens the repository that `path` is in.
    pub(crate) fn open(path: &Path) -> Result<Self> {
        let bare = git(path, &["rev-parse", "--is-bare-repository"])? == "true";
        let root = if bare { "--absolute-git-dir" } else { "--show-toplevel" };
        let root = PathBuf::from(git(path, &["rev-parse", root])?);
        let common = git(&root, &["rev-parse", "--path-format=absolute", "--git-common-dir"])?;
        Ok(Self { root, common: PathBuf::from(common), adding: Mutex::new(()) })
    }

    /// Returns whether there are changes of tracked files that are not committed.
    pub(crate) fn dirty(&self) -> Result<bool> {
        if git(&self.root, &["rev-parse", "--is-bare-repository"])? == "true" {
            return Ok(false);
        }
        Ok(!git(&self.root, &["status", "--porcelain", "--untracked-files=no"])?.is_empty())
    }

    /// Returns the commit that a name stands for.
    pub(crate) fn commit(&self, name: &str) -> Result<String> {
        git(
            &self.root,
            &["rev-parse", "--verify", "--quiet", "--end-of-options", &format!("{name}^{{commit}}")],
        )
    }

    /// Returns whether a program below the worktree can be started where that is at a commit. What a link leads to is not looked
    /// for.
    pub(crate) fn has_program(&self, commit: &str, program: &Path) -> Result<bool> {
        let mut path = PathBuf::new();
        for part in program.components() {
            match part {
                Component::CurDir => continue,
                Component::Normal(name) => path.push(name),
                // Beside the worktree: whatever is there.
                _ => return Ok(true),
            }
            let entry = git(
                &self.root,
                &["ls-tree", "--full-tree", "--end-of-options", commit, &path.display().to_string()],
            )?;
            match entry.split(' ').next().unwrap_or_default() {
                "040000" => {}
                "100755" | "120000" => return Ok(true),
                _ => return Ok(false),
            }
        }
        Ok(false)
    }

    /// Returns the branches of a task that are there already, oldest name first.
    pub(crate) fn branches(&self, task: &str) -> Result<Vec<String>> {
        let pattern = format!("refs/heads/kapell/{task}-*");
        let plain = format!("refs/heads/kapell/{task}");
        let format = "--format=%(refname:short)";
        let found = git(&self.root, &["for-each-ref", format, "--sort=creatordate", &pattern, &plain])?;
        Ok(found.lines().map(str::to_owned).collect())
    }

    /// Makes a worktree at `path` on a new branch that begins at `base`. The branch is called `wanted`, with a number where
    /// that is taken. Returns its name.
    pub(crate) fn add(&self, path: &Path, wanted: &str, base: &str) -> Result<String> {
        let _here = self.adding.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let _others = self.lock();
        let _ = git(&self.root, &["worktree", "prune"]);
        let taken = |name: &str| {
            let reference = format!("refs/heads/{name}");
            git(&self.root, &["show-ref", "--verify", "--quiet", &reference]).is_ok()
        };
        let numbered = (2..BRANCHES_MAX).map(|number| format!("{wanted}-{number}"));
        let mut names = std::iter::once(wanted.to_owned()).chain(numbered);
        let branch = names.find(|name| !taken(name)).unwrap_or_else(|| wanted.to_owned());
        let place = path.display().to_string();
        git(&self.root, &["worktree", "add", "--quiet", "-b", &branch, &place, base])?;
        Ok(branch)
    }

    /// Removes a worktree, and its branch where that has nothing beyond `base`.
    pub(crate) fn remove(&self, path: &Path, branch: &str, base: &str) -> Result<()> {
        let _here = self.adding.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let _others = self.lock();
        git(&self.root, &["worktree", "remove", "--force", "--force", &path.display().to_string()])?;
        if self.commit(&format!("refs/heads/{branch}"))? == base {
            git(&self.root, &["branch", "--quiet", "-D", branch])?;
        }
        Ok(())
    }

    /// Keeps other runners on the same repository from making worktrees at the same time; without it they would only refuse.
    fn lock(&self) -> Option<File> {
        let file = File::create(self.common.join("kapell-runner.lock")).ok()?;
        flock(&file, FlockOperation::LockExclusive).ok()?;
        Some(file)
    }
}

/// Returns whether a worktree is there and on its branch.
pub(crate) fn stands(worktree: &Path, branch: &str) -> bool {
    worktree.join(".git").exists()
        && git(worktree, &["symbolic-ref", "--short", "HEAD"]).is_ok_and(|name| name == branch)
}

/// Commits whatever is not committed. Nobody may be at work there: a lock that is left is taken away.
pub(crate) fn commit_leftovers(worktree: &Path, agent: &str, message: &str) -> Result<()> {
    if let Ok(lock) = git(worktree, &["rev-parse", "--path-format=absolute", "--git-path", "index.lock"]) {
        let _ = std::fs::remove_file(lock);
    }
    if !dirty(worktree)? {
        return Ok(());
    }
    git(worktree, &["add", "--all"])?;
    let name = format!("user.name={agent}");
    let email = format!("user.email={agent}@kapell.invalid");
    let sign = "commit.gpgSign=false";
    git(
        worktree,
        &["-c", &name, "-c", &email, "-c", sign, "commit", "--quiet", "--no-verify", "-m", message],
    )?;
    Ok(())
}

/// Returns whether a worktree has changes that are not committed, new files included.
pub(crate) fn dirty(worktree: &Path) -> Result<bool> {
    Ok(!git(worktree, &["status", "--porcelain"])?.is_empty())
}

/// Returns what stands on a worktree's branch beyond `base`.
pub(crate) fn change(worktree: &Path, base: &str) -> Result<Change> {
    let commit = git(worktree, &["rev-parse", "HEAD"])?;
    let range = format!("{base}..HEAD");
    let commits = git(worktree, &["rev-list", "--count", &range])?.parse().unwrap_or(0);
    let between = format!("{base}...HEAD");
    let stat = git(worktree, &["diff", "--shortstat", "--no-ext-diff", "--no-textconv", &between])?;
    Ok(Change { commit, commits, stat: stat.trim().to_owned() })
}

/// Runs git and returns what it printed, without the line break at the end.
fn git(place: &Path, arguments: &[&str]) -> Result<String> {
    let kept = ["PATH", "HOME", "XDG_CONFIG_HOME", "LANG", "TMPDIR"];
    let environment = kept.iter().filter_map(|name| Some((name, std::env::var_os(name)?)));
    let output = Command::new("git")
        .args(["-c", "core.hooksPath=/dev/null", "-c", "core.fsmonitor=false"])
        .args(arguments)
        .current_dir(place)
        .env_clear()
        .envs(environment)
        .env("GIT_TERMINAL_PROMPT", "0")
        .env("LC_ALL", "C")
        .output()
        .map_err(GitError::NotStarted)?;
    if output.status.success() {
        let text = String::from_utf8_lossy(&output.stdout);
        return Ok(text.strip_suffix('\n').unwrap_or(&text).to_owned());
    }
    let told = String::from_utf8_lossy(&output.stderr);
    let told = told.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or("it says nothing");
    let what = arguments.iter().find(|word| !word.starts_with('-') && !word.contains('=')).unwrap_or(&"");
    Err(GitError::Refused {
        what: (*what).to_owned(),
        place: place.display().to_string(),
        told: told.trim().chars().take(500).collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn repository() -> (tempfile::TempDir, Repository) {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("repo");
        std::fs::create_dir(&path).expect("a directory");
        git(&path, &["init", "--quiet", "-b", "main"]).expect("a repository");
        std::fs::write(path.join("a.txt"), "one\n").expect("a file");
        commit_leftovers(&path, "tester", "first").expect("a commit");
        let repository = Repository::open(&path).expect("it opens");
        (directory, repository)
    }

    #[test]
    fn a_worktree_has_its_own_branch_and_its_change_is_told() {
        let (directory, repository) = repository();
        let base = repository.commit("HEAD").expect("a commit");
        let one = directory.path().join("one");
        assert_eq!(repository.add(&one, "kapell/T-1-do", &base).expect("a worktree"), "kapell/T-1-do");
        let two = directory.path().join("two");
        assert_eq!(repository.add(&two, "kapell/T-1-do", &base).expect("a worktree"), "kapell/T-1-do-2");
        assert_eq!(repository.branches("T-1").expect("branches").len(), 2);
        assert!(stands(&one, "kapell/T-1-do") && !stands(&one, "main"));

        std::fs::write(one.join("b.txt"), "new\n").expect("a file");
        std::fs::write(one.join(".git-index-lock"), "").expect("a file");
        commit_leftovers(&one, "backend-1", "T-1: leftovers").expect("a commit");
        let change = change(&one, &base).expect("a change");
        assert_eq!((change.commits, change.stat.as_str()), (1, "2 files changed, 1 insertion(+)"));
        assert!(!repository.dirty().expect("it can be asked"), "the repository itself is as it was");

        repository.remove(&one, "kapell/T-1-do", &base).expect("it goes");
        repository.remove(&two, "kapell/T-1-do-2", &base).expect("it goes");
        assert_eq!(repository.branches("T-1").expect("branches"), ["kapell/T-1-do"]);
    }

    #[test]
    fn what_is_no_repository_or_has_changes_is_seen() {
        let directory = tempfile::tempdir().expect("a directory");
        let error = Repository::open(directory.path()).expect_err("no repository").to_string();
        assert!(error.contains("not a git repository"), "{error}");
        let (_directory, repository) = repository();
        std::fs::write(repository.root.join("a.txt"), "two\n").expect("a file");
        assert!(repository.dirty().expect("it can be asked"));
        assert!(repository.commit("no-such-branch").is_err());
    }

    #[test]
    fn a_program_of_the_worktree_is_looked_for_in_the_commit() {
        use std::os::unix::fs::PermissionsExt as _;
        let (_directory, repository) = repository();
        let root = repository.root.clone();
        std::fs::create_dir(root.join("tools")).expect("a directory");
        for (name, mode) in [("tools/run", 0o755), ("plain", 0o644)] {
            std::fs::write(root.join(name), "#!/bin/sh\n").expect("a file");
            let rights = std::fs::Permissions::from_mode(mode);
            std::fs::set_permissions(root.join(name), rights).expect("rights");
        }
        std::os::unix::fs::symlink("tools", root.join("link")).expect("a link");
        let first = repository.commit("HEAD").expect("a commit");
        commit_leftovers(&root, "tester", "programs").expect("a commit");
        let has = |commit: &str, program: &str| {
            repository.has_program(commit, Path::new(program)).expect("it can be asked")
        };
        assert!(has("HEAD", "./tools/run") && has("HEAD", "tools/run") && has("HEAD", "link/run"));
        assert!(has("HEAD", "../beside/run"), "it is none of the worktree");
        assert!(!has("HEAD", "./plain") && !has("HEAD", "./tools") && !has("HEAD", "./gone"));
        assert!(!has(&first, "./tools/run"), "it was not there yet");
    }

    #[test]
    fn a_lock_that_was_left_does_not_hold_up_what_is_kept() {
        let (_directory, repository) = repository();
        std::fs::write(repository.root.join(".git/index.lock"), "").expect("a file");
        std::fs::write(repository.root.join("a.txt"), "two\n").expect("a file");
        commit_leftovers(&repository.root, "a", "kept").expect("a commit");
        assert!(!repository.dirty().expect("it can be asked"));
    }
}
