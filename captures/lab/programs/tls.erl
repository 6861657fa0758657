#!/usr/bin/env escript
%% A small TLS client or server on Erlang's ssl, with the options all small programs of the laboratory share.
-mode(compile).

main([Role | Words]) ->
    O = options(Words, #{}),
    {ok, _} = application:ensure_all_started(ssl),
    logger:set_primary_config(level, none),
    case Role of
        "client" -> client(O, list_to_integer(maps:get("connections", O, "1")));
        "server" -> server(O)
    end.

options(["--" ++ Key, Value | Rest], O) -> options(Rest, O#{Key => Value});
options(_, O) -> O.

versions(O) ->
    All = ["1.0", "1.1", "1.2", "1.3"],
    From = lists:dropwhile(fun(V) -> V /= maps:get("min", O, "1.2") end, All),
    Upto = lists:takewhile(fun(V) -> V =< maps:get("max", O, "1.3") end, From),
    [case V of "1.0" -> tlsv1; "1.1" -> 'tlsv1.1'; "1.2" -> 'tlsv1.2'; "1.3" -> 'tlsv1.3' end || V <- lists:reverse(Upto)].

common(O) ->
    [{versions, versions(O)}, {active, false}, {mode, binary}, {keep_secrets, true}, {log_level, none}]
        ++ [{certfile, maps:get("cert", O)} || maps:is_key("cert", O)]
        ++ [{keyfile, maps:get("key", O)} || maps:is_key("key", O)]
        ++ [{ciphers, [ssl:str_to_suite(S) || S <- words("ciphers", O)]} || maps:is_key("ciphers", O)]
        ++ [{supported_groups, [list_to_atom(S) || S <- words("groups", O)]} || maps:is_key("groups", O)]
        ++ [{signature_algs, [list_to_atom(S) || S <- words("sigalgs", O)]} || maps:is_key("sigalgs", O)].

words(Key, O) -> string:tokens(maps:get(Key, O), ":").

protocols(O) -> [list_to_binary(P) || P <- string:tokens(maps:get("alpn", O), ",")].

client(_, 0) -> ok;
client(O, Left) ->
    Name = maps:get("sni", O, maps:get("name", O, "server.test")),
    Verify = case maps:is_key("insecure", O) of
        true -> [{verify, verify_none}];
        false -> [{verify, verify_peer}, {cacertfile, maps:get("ca", O)}, {depth, 5},
                  {customize_hostname_check, [{match_fun, public_key:pkix_verify_hostname_match_fun(https)}]}]
    end,
    Sni = [{server_name_indication, case Name of "" -> disable; _ -> Name end}],
    Alpn = [{alpn_advertised_protocols, protocols(O)} || maps:is_key("alpn", O)],
    {ok, Address} = inet:parse_address(maps:get("address", O, "198.51.100.20")),
    case ssl:connect(Address, list_to_integer(maps:get("port", O, "443")), common(O) ++ Verify ++ Sni ++ Alpn, 6000) of
        {ok, Socket} ->
            keylog(O, Socket),
            io:format("connected~n"),
            case maps:get("request", O, "GET / HTTP/1.0\r\n\r\n") of
                "" -> ok;
                Request ->
                    ssl:send(Socket, Request),
                    hear(Socket)
            end,
            ssl:close(Socket),
            client(O, Left - 1);
        {error, Reason} ->
            io:format("error: ~0p~n", [Reason]),
            halt(1)
    end.

hear(Socket) ->
    case ssl:recv(Socket, 0, 6000) of
        {ok, Data} -> io:format("answer: ~s~n", [hd(binary:split(Data, <<"\n">>))]), hear(Socket);
        {error, closed} -> ok;
        {error, Reason} -> io:format("error: ~0p~n", [Reason])
    end.

server(O) ->
    Verify = case maps:is_key("client-ca", O) of
        true -> [{verify, verify_peer}, {cacertfile, maps:get("client-ca", O)}, {depth, 5},
                 {fail_if_no_peer_cert, maps:get("verify", O, "require") == "require"}];
        false -> []
    end,
    Alpn = [{alpn_preferred_protocols, protocols(O)} || maps:is_key("alpn", O)],
    Named = case maps:is_key("only-name", O) of
        true -> [{sni_fun, fun(N) -> case N == maps:get("only-name", O) of true -> []; false -> undefined end end}];
        false -> []
    end,
    {ok, Listen} = ssl:listen(list_to_integer(maps:get("port", O, "443")), common(O) ++ Verify ++ Alpn ++ Named ++ [{reuseaddr, true}, {backlog, 16}]),
    accept(O, Listen).

accept(O, Listen) ->
    {ok, Raw} = ssl:transport_accept(Listen),
    Pid = spawn(fun() -> receive go -> serve(O, Raw) end end),
    ssl:controlling_process(Raw, Pid),
    Pid ! go,
    accept(O, Listen).

serve(O, Raw) ->
    case ssl:handshake(Raw, 6000) of
        {ok, Socket} ->
            keylog(O, Socket),
            case ssl:recv(Socket, 0, 6000) of
                {ok, _} -> ssl:send(Socket, "HTTP/1.0 200 OK\r\nContent-Length: 6\r\n\r\nhello\n");
                {error, Reason} -> io:format("error: ~0p~n", [Reason])
            end,
            ssl:close(Socket);
        {error, Reason} -> io:format("error: ~0p~n", [Reason])
    end.

keylog(O, Socket) ->
    case {maps:find("keylog", O), ssl:connection_information(Socket, [keylog])} of
        {{ok, File}, {ok, [{keylog, Lines}]}} -> file:write_file(File, [[L, "\n"] || L <- Lines], [append]);
        _ -> ok
    end.
