import Addressing

/// What a router's group looks like from here.
extension Election {
    /// Whether others hear a host that we do not.
    enum Voucher { case none, kernelOnly, agent }

    func liveness(_ router: Int, _ peer: Int) -> PeerLiveness {
        routers[router].hosts[peer].map { hosts[$0].liveness } ?? .unknown
    }

    /// What the other living members of the group say of a peer that is silent to us.
    func voucher(_ router: Int, _ peer: Int) -> Voucher {
        guard let endpoint = routers[router].router.peers[peer].endpoint else { return .none }
        var voucher = Voucher.none
        for (other, host) in routers[router].hosts.enumerated() where other != peer {
            guard let host, hosts[host].liveness == .alive, let heard = hosts[host].heard.first(where: { $0.endpoint == endpoint }) else {
                continue
            }
            if heard.isAlive { return .agent }
            voucher = .kernelOnly
        }
        return voucher
    }

    /// Whether what a peer said last may be taken for true: we hear its agent, and not just again, or another member does.
    func stands(_ router: Int, _ peer: Int) -> Bool {
        guard routers[router].claims[peer].isTold else { return false }
        switch liveness(router, peer) {
        case .alive: return !routers[router].claims[peer].isOutdated
        case .dead: return voucher(router, peer) == .agent
        case .unknown, .absent: return false
        }
    }

    /// Peers that are master and whose word stands, and that do not give way to us.
    func rivals(_ router: Int) -> [Int] {
        routers[router].claims.indices.filter { peer in
            let claim = routers[router].claims[peer]
            guard claim.state == .master, stands(router, peer) else { return false }
            return !claim.isYielding || staysThoughYielding(router, peer)
        }
    }

    /// Whether a master asks for a successor, and we, master too, are not the one: it took over from us and is to leave before we have gone, or it will
    /// never hear that we are there.
    private func staysThoughYielding(_ router: Int, _ peer: Int) -> Bool {
        let state = routers[router]
        guard state.own == .master else { return false }
        return state.yieldingFor != nil ? isOutranked(router, by: peer) : isDeaf(router, peer)
    }

    /// Whether a peer that lives has not heard us for so long that it will not.
    func isDeaf(_ router: Int, _ peer: Int) -> Bool {
        guard let host = routers[router].hosts[peer], hosts[host].liveness == .alive, let since = hosts[host].deafSince else {
            return false
        }
        return now - since >= settings.deafRivalMilliseconds
    }

    /// Whether a rival's claim is better than ours where nothing else tells them apart.
    func isOutranked(_ router: Int, by rival: Int) -> Bool {
        let state = routers[router]
        let (own, other) = (candidacy(router), candidacy(router, rival))
        if state.term != state.claims[rival].term { return state.term < state.claims[rival].term }
        if own.priority != other.priority { return own.priority < other.priority }
        return own.address < other.address
    }

    func hasLivingPeer(_ router: Int) -> Bool {
        routers[router].hosts.contains { $0.map { hosts[$0].liveness == .alive } ?? false }
    }

    func candidacy(_ router: Int) -> Candidacy {
        let state = routers[router]
        return Candidacy(
            isDraining: state.router.isDraining, gateway: state.gateway(gateways), priority: state.router.priority,
            address: state.router.localAddress)
    }

    func candidacy(_ router: Int, _ peer: Int) -> Candidacy {
        let state = routers[router]
        return Candidacy(
            isDraining: state.claims[peer].isDraining, gateway: state.claims[peer].gateway, priority: state.router.peers[peer].priority,
            address: state.router.peers[peer].address)
    }

    /// Whether two peers hear each other as far as they say, which a handover between them needs: of a successor whose word does not reach the master,
    /// it would never learn that it may go.
    func hearEachOther(_ router: Int, _ one: Int, _ other: Int) -> Bool { hears(router, one, other) && hears(router, other, one) }

    private func hears(_ router: Int, _ peer: Int, _ other: Int) -> Bool {
        guard let host = routers[router].hosts[peer], let endpoint = routers[router].router.peers[other].endpoint else { return false }
        let heard = hosts[host].heard
        return heard.contains { $0.isAlive && $0.endpoint == endpoint } || Pulse.mayLackHosts(heard)
    }

    /// Whether what we say reaches a peer.
    func hearsUs(_ router: Int, _ peer: Int) -> Bool { routers[router].hosts[peer].map { hosts[$0].hearsUs } ?? false }

    /// Whether a peer is a living backup that hears us: one that does not is cut off, and holds itself back.
    func isCandidate(_ router: Int, _ peer: Int) -> Bool {
        let claim = routers[router].claims[peer]
        return claim.isTold && claim.state == .backup && liveness(router, peer) == .alive && !isDeaf(router, peer)
    }

    /// Whether a master should give way to a candidate: it drains and the other does not, or only the other reaches its gateway. A drain moves no
    /// router to where less is known to work.
    func isBetter(_ candidate: Candidacy, than master: Candidacy) -> Bool {
        if candidate.isDraining != master.isDraining { return master.isDraining && candidate.gateway.rank <= master.gateway.rank }
        return candidate.gateway == .reachable && master.gateway == .unreachable
    }

    /// A member that lost the device that tunnels start from cannot hear and must not be master, nor one whose host suddenly hears nobody; nor before
    /// it has heard the others again.
    func isHeld(_ router: Int) -> Bool {
        guard !routers[router].router.peers.isEmpty else { return false }
        guard isCarrierUp else { return true }
        if isHeldByIsolation(router) { return true }
        guard let carrierSince, now < carrierSince + settings.holdAfterCarrierMilliseconds else { return false }
        return !hasLivingPeer(router)
    }

    private func isHeldByIsolation(_ router: Int) -> Bool {
        guard let until = isolatedUntil ?? isolationAftermath, now < until, concernsIsolation(router) else { return false }
        return isolatedUntil != nil || routers[router].hosts.indices.allSatisfy { liveness(router, $0) == .dead }
    }

    /// Until when groups of which nobody is heard yet are held after an isolation.
    var isolationAftermath: Int? { isolationEnded.map { $0 + settings.isolationWindowMilliseconds } }

    /// Whether a host's isolation says something of this group. Of two members nobody can tell whose fault it is that they do not hear each other,
    /// unless two or more other hosts fell silent with the peer.
    private func concernsIsolation(_ router: Int) -> Bool {
        let peers = routers[router].router.peers.compactMap(\.endpoint)
        guard peers.count == 1, let peer = hostPositions[peers[0]] else { return peers.count > 1 }
        return silentTogether - (hasFallenSilent(hosts[peer]) ? 1 : 0) > 1
    }

    /// - Parameter peer: Nil for a member that is alone: it speaks to itself.
    func inject(_ router: Int, from peer: Int?, priority: Int) -> ElectionAction {
        let group = routers[router].router
        return .inject(router: group.id, source: peer.map { group.peers[$0].address } ?? group.localAddress, priority: priority)
    }
}
