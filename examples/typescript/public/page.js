// The page and its socket. What the two may say is in events.d.ts, which the server's test writes.
import { io } from 'socket.io-client';
const socket = io({ ackTimeout: 5_000 });
function element(id, type) {
    const found = document.getElementById(id);
    if (!(found instanceof type))
        throw new Error(`the page has no #${id}`);
    return found;
}
const form = element('form', HTMLFormElement);
const text = element('text', HTMLInputElement);
const urgency = element('urgency', HTMLSelectElement);
const list = element('list', HTMLUListElement);
const clear = element('clear', HTMLButtonElement);
const error = element('error', HTMLParagraphElement);
const state = element('state', HTMLSpanElement);
const writers = new Set();
const urgencies = { today: 'Today', soon: 'Soon', someday: 'Some day' };
socket.on('connect', () => showState('connected'));
socket.on('disconnect', () => showState('connection lost, trying again'));
socket.on('items', (items) => {
    writers.clear();
    list.replaceChildren(...items.map(line));
    showCount();
});
socket.on('added', (item) => {
    list.append(line(item));
    showCount();
});
socket.on('changed', (item) => {
    document.getElementById(`item-${item.id}`)?.replaceWith(line(item));
    showCount();
});
socket.on('removed', (ids) => {
    for (const id of ids)
        document.getElementById(`item-${id}`)?.remove();
    showCount();
});
socket.on('writing', ({ visitor, on }) => {
    if (on)
        writers.add(visitor);
    else
        writers.delete(visitor);
    element('writers', HTMLParagraphElement).textContent = writers.size > 0 ? 'Somebody else is writing …' : '';
});
form.addEventListener('submit', async (event) => {
    event.preventDefault();
    const chosen = Object.keys(urgencies).find((one) => one === urgency.value);
    const answer = await asked(socket.emitWithAck('add', text.value, chosen ?? null));
    if (answer === undefined)
        return;
    text.value = '';
    socket.emit('writing', false);
});
text.addEventListener('input', () => socket.emit('writing', text.value !== ''));
clear.addEventListener('click', async () => {
    await asked(socket.emitWithAck('clearDone'));
});
/** What the server answers; otherwise it is shown why there is nothing. */
async function asked(answering) {
    error.textContent = '';
    try {
        const answer = await answering;
        if (!isError(answer))
            return answer;
        error.textContent = answer.error.message;
    }
    catch {
        error.textContent = 'The server does not answer.';
    }
    return undefined;
}
function isError(answer) {
    return typeof answer === 'object' && answer !== null && 'error' in answer;
}
function line(item) {
    const [row, label, box, words, tag] = ['li', 'label', 'input', 'span', 'small'].map((name) => document.createElement(name));
    row.id = `item-${item.id}`;
    box.type = 'checkbox';
    box.checked = item.isDone;
    box.addEventListener('change', () => socket.emit('setDone', item.id, box.checked));
    words.textContent = item.text;
    tag.textContent = urgencies[item.urgency];
    tag.className = item.urgency;
    label.append(box, words);
    row.append(label, tag);
    return row;
}
function showCount() {
    const done = list.querySelectorAll(':checked').length;
    clear.hidden = done === 0;
    clear.textContent = `Clear ${done} done`;
    element('none', HTMLParagraphElement).hidden = list.children.length > 0;
}
function showState(what) {
    state.textContent = what;
}
