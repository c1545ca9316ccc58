// What Internet Explorer gave 0.x clients and no other browser has: a document in which a frame loads for ever. An
// ordinary hidden frame does the same, so that the client's own transport runs.
window.ActiveXObject = function (name) {
  if (name !== 'htmlfile') throw new Error(`there is no ${name}`);
  const frame = document.createElement('iframe');
  frame.hidden = true;
  document.body.append(frame);
  Object.defineProperty(frame.contentDocument, 'parentWindow', { value: frame.contentWindow });
  return frame.contentDocument;
};
window.CollectGarbage = () => {};
