/// A master that lives, claims its office, and is not heard on the HA network.
extension Election {
    /// Relays the master's advertisements where that is needed. Returns when to look again.
    mutating func relay(_ router: Int) -> Int {
        let silent = silentMaster(router)
        if silent == nil {
            routers[router].isMasterHeard = false
            routers[router].silentSince = nil
        }
        if let relay = routers[router].relay {
            let claim = routers[router].claims[relay.peer]
            let isOver = relay.until.map { now >= $0 } ?? false
            if isOver || !claim.isMastership || !stands(router, relay.peer) { endRelay(router) }
        }
        if routers[router].relay == nil, let silent, !routers[router].isMasterHeard {
            let since = routers[router].silentSince ?? now
            routers[router].silentSince = since
            let due = since + settings.relayInterval(of: routers[router].router)
            guard now >= due else { return due }
            beginRelay(router, of: silent, first: now)
        }
        guard let relay = routers[router].relay else { return Int.max }
        guard now >= relay.next else { return relay.next }
        actions.append(inject(router, from: relay.peer, priority: routers[router].router.peers[relay.peer].priority))
        let next = now + settings.relayInterval(of: routers[router].router)
        routers[router].relay?.next = next
        return next
    }

    /// The master whose pulses do not reach us, while another member hears it.
    private func silentMaster(_ router: Int) -> Int? {
        guard let master = routers[router].lastMaster, routers[router].claims[master].isMastership,
            liveness(router, master) == .dead, voucher(router, master) == .agent
        else { return nil }
        return master
    }

    mutating func beginRelay(_ router: Int, of peer: Int, first: Int, until: Int? = nil) {
        routers[router].relay = RouterElection.Relay(peer: peer, next: first, until: until)
    }

    mutating func endRelay(_ router: Int) {
        routers[router].relay = nil
    }
}
