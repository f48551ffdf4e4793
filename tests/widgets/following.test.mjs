import assert from "node:assert/strict";
import test from "node:test";
import { load } from "./load.mjs";

const { isFollowing, isScrolledUp } = await load("following.js");
const at = (scrollTop, scrollHeight = 1000, clientHeight = 300) => ({ scrollTop, scrollHeight, clientHeight });

test("at the end it follows, and near it when somebody scrolls down", () => {
  assert.equal(isFollowing(at(700), at(700)), true);
  assert.equal(isFollowing(at(300), at(690)), true);
  assert.equal(isFollowing(at(300), at(500)), false);
});

test("a wheel that turns slowly is scrolling up", () => {
  for (const up of [2, 5, 20, 400]) {
    assert.equal(isFollowing(at(700), at(700 - up)), false, String(up));
    assert.equal(isScrolledUp(at(700), at(700 - up)), true, String(up));
    assert.equal(isScrolledUp(at(700), at(700 - up, 1200)), true, "and lines came in meanwhile");
  }
});

test("what the browser moves is nobody's wish", () => {
  assert.equal(isScrolledUp(at(700), at(600, 900)), false); // a line went
  assert.equal(isScrolledUp(at(700), at(668, 1000, 332)), false); // the box grew
  assert.equal(isScrolledUp(at(700), at(700, 1100)), false); // a line came
  assert.equal(isScrolledUp(at(700.4), at(700)), false); // rounding
});
