// Every view, as its address says.

export const VIEWS = ["now", "board", "inbox", "agents", "agents/ada", "graph", "timeline", "projects", "resources", "reports", "projects/rooms", "policy", "task/serve", "task/hostile"];
