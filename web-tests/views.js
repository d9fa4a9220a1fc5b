// Every view, as its address says.

export const VIEWS = ["now", "board", "inbox", "agents", "agents/ada", "channels", "channels/rooms", "graph", "timeline", "projects", "resources", "reports", "projects/rooms", "policy", "task/serve", "task/hostile"];
