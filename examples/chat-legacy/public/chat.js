/* The chat's page, without its client: legacy.js and modern.js connect one each. In the JavaScript of 2011, for the
   browsers that have the client 0.9.

   The page asks in the namespace /chat:
     nickname      name  -> true if it is taken, false if it is ours now
     user message  text  -> (nothing)
   and is told { error: { message } } instead where something is wrong. The server tells:
     nicknames     [name, …]    whenever somebody comes or goes
     announcement  text         the same as a sentence
     msg_to_room   name, text   what somebody else says */
(function (window, document) {
  'use strict';

  var KEEP = 300; // lines on the page

  function $(id) { return document.getElementById(id); }

  function listen(node, event, listener) {
    if (node.addEventListener) node.addEventListener(event, listener, false);
    else node.attachEvent('on' + event, function () { listener(window.event); });
  }

  function prevent(event) {
    if (event.preventDefault) event.preventDefault();
    else event.returnValue = false;
  }

  function show(node, visible) {
    node.className = node.className.replace(/ *\boff\b/g, '') + (visible ? '' : ' off');
  }

  /** Text, never HTML: a nickname may be anything. */
  function write(node, text) {
    while (node.firstChild) node.removeChild(node.firstChild);
    node.appendChild(document.createTextNode(text));
  }

  function element(name, className, text) {
    var node = document.createElement(name);
    node.className = className;
    if (text !== undefined) write(node, text);
    return node;
  }

  function trimmed(text) { return text.replace(/^\s+|\s+$/g, ''); }

  window.startChat = function (socket) {
    var wanted = null; // the nickname that was asked for, or is ours
    var named = false; // is it ours, on this very connection?
    var waiting = []; // marks of what was said and not acknowledged

    function sentence(answer) { return answer && answer.error && answer.error.message; }

    function line(className, who, text) {
      var log = $('lines');
      var atEnd = log.scrollHeight - log.scrollTop - log.clientHeight < 60;
      var node = element('p', 'line ' + className);
      if (who) node.appendChild(element('b', 'who', who));
      node.appendChild(element('span', 'text', text));
      log.appendChild(node);
      if (log.childNodes.length > KEEP) log.removeChild(log.firstChild);
      if (atEnd || className === 'own') log.scrollTop = log.scrollHeight;
      return node;
    }

    function enable(id, on) { $(id).disabled = !on; }

    /** Asks for a nickname: the first time, and again whenever the connection is a new one. */
    function ask() {
      enable('enter', false);
      socket.emit('nickname', wanted, function (answer) {
        enable('enter', true);
        if (answer === false) return enter();
        refuse(sentence(answer) || 'Somebody called ' + wanted + ' is here already. Pick another name.');
      });
    }

    function enter() {
      named = true;
      show($('entry'), false);
      show($('chat'), true);
      enable('text', true);
      enable('send', true);
      $('text').focus();
    }

    function refuse(why) {
      wanted = null;
      show($('chat'), false);
      show($('entry'), true);
      write($('entry-error'), why || '');
      $('nickname').focus();
    }

    socket.on('nicknames', function (names) {
      var list = $('nicknames');
      write(list, '');
      for (var i = 0; i < names.length; i += 1) {
        list.appendChild(element('li', names[i] === wanted ? 'own' : '', names[i]));
      }
      write($('people-title'), 'Here now (' + names.length + ')');
    });
    socket.on('announcement', function (text) { line('told', null, text); });
    socket.on('msg_to_room', function (who, text) { line('', who, text); });

    listen($('entry'), 'submit', function (event) {
      prevent(event);
      wanted = trimmed($('nickname').value);
      write($('entry-error'), '');
      if (!wanted) refuse('Type a nickname first.');
      else if (up) ask();
    });

    listen($('say'), 'submit', function (event) {
      prevent(event);
      var text = trimmed($('text').value);
      if (!named || !text) return;
      $('text').value = '';
      var node = line('own waiting', null, text);
      waiting.push(node);
      socket.emit('user message', text, function (answer) {
        for (var i = waiting.length - 1; i >= 0; i -= 1) if (waiting[i] === node) waiting.splice(i, 1);
        settle(node, sentence(answer));
      });
    });

    function settle(node, problem) {
      node.className = 'line own' + (problem ? ' failed' : '');
      if (problem) node.appendChild(element('span', 'problem', problem));
    }

    var up = false;
    if (!wanted) refuse();
    return {
      up: function (transport) {
        up = true;
        write($('banner'), '');
        write($('state'), 'connected');
        $('state').className = 'up';
        this.transport(transport);
        if (wanted) ask();
      },
      down: function (why) {
        up = named = false;
        write($('banner'), why);
        write($('state'), 'not connected');
        $('state').className = '';
        write($('transport'), '');
        enable('text', false);
        enable('send', false);
        enable('enter', true);
        while (waiting.length) settle(waiting.shift(), 'The connection was lost: it may not have arrived.');
      },
      transport: function (name) { write($('transport'), name); }
    };
  };
}(window, document));
