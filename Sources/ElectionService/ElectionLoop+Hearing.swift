import Addressing
import CLinux
import Election
import Glibc
import KernelInterface
import NetworkModel
import ServiceProcesses

// What the election hears of gateways, and of others on the HA network.

extension ElectionLoop {
    // MARK: Gateways

    func updateGateways() {
        let wanted = Dictionary(members.values.compactMap(\.gateway).map { ($0.key, $0) }, uniquingKeysWith: { $1 })
        for key in gateways.keys where wanted[key] == nil { closeGateway(key) }
        for (key, gateway) in wanted where gateways[key] == nil { gateways[key] = GatewayProbe(gateway, now: Self.now) }
    }

    func closeGateway(_ key: String) {
        if let descriptor = gateways.removeValue(forKey: key)?.sniffer?.descriptor { unwatch(descriptor) }
    }

    func probeGateways() {
        let now = Self.now
        for key in gateways.keys {
            guard var probe = gateways[key], now >= probe.watch.nextRequest else { continue }
            let before = probe.sniffer?.descriptor
            let hasChanged = probe.ask(frames, now: now)
            if let before, before != probe.sniffer?.descriptor { unwatch(before) }
            if let after = probe.sniffer?.descriptor, after != before { watchDescriptor(after, .gateway(key)) }
            gateways[key] = probe
            if hasChanged { handle(.gateway(key: key, Reachability(probe.watch.isReachable))) }
        }
    }

    func readGateway(_ key: String) {
        guard var probe = gateways[key] else { return }
        let before = probe.sniffer?.descriptor
        let hasChanged = probe.listen()
        gateways[key] = probe
        if let before, probe.sniffer == nil { unwatch(before) }
        if hasChanged { handle(.gateway(key: key, Reachability(probe.watch.isReachable))) }
    }

    // MARK: Advertisements of others

    func listen(_ id: ResourceID) {
        guard let member = members[id], let descriptor = listeners.begin(id, on: member.device, frames, now: Self.now) else { return }
        watchDescriptor(descriptor, .listener(id))
    }

    func stopListening(_ id: ResourceID) {
        if let descriptor = listeners.end(id) { unwatch(descriptor) }
    }

    func renewListeners() {
        for (id, descriptor) in listeners.renew(frames, now: Self.now) { watchDescriptor(descriptor, .listener(id)) }
    }

    func readListener(_ id: ResourceID) {
        let (speakers, closed) = listeners.read(id, now: Self.now)
        if let closed { unwatch(closed) }
        let peers = members[id]?.router.peers.map(\.address) ?? []
        for speaker in speakers where peers.contains(speaker) { handle(.advertisementHeard(id, from: speaker)) }
    }
}
