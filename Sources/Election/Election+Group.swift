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

    /// Whether what a peer said last may be taken for true: we hear its agent, or another member does.
    func stands(_ router: Int, _ peer: Int) -> Bool {
        guard routers[router].claims[peer].isTold else { return false }
        switch liveness(router, peer) {
        case .alive: return true
        case .dead: return voucher(router, peer) == .agent
        case .unknown, .absent: return false
        }
    }

    /// Peers that are master, mean to stay, and whose word stands.
    func rivals(_ router: Int) -> [Int] {
        routers[router].claims.indices.filter { routers[router].claims[$0].isMastership && stands(router, $0) }
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

    /// Whether a peer is a living backup that hears us: one that does not is cut off, and holds itself back.
    func isCandidate(_ router: Int, _ peer: Int) -> Bool {
        let claim = routers[router].claims[peer]
        guard claim.isTold, claim.state == .backup, let host = routers[router].hosts[peer], hosts[host].liveness == .alive else {
            return false
        }
        return hosts[host].deafSince.map { now - $0 < settings.deafRivalMilliseconds } ?? true
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
