// @ts-check
/** The timeline as a widget of its own. */
import { view } from "./view.js";
import { createTimelineView } from "./timeline_view.js";
import { createStore } from "./timeline_store.js";

export default view(createStore, createTimelineView);
