import Addressing
import Election
import KernelInterface

/// Asks a gateway from the bridge of its network, as any host that carries the network can, whether it has the master or not.
struct GatewayProbe {
    let gateway: ElectionMember.Gateway
    private(set) var watch: GatewayWatch
    /// Nil while there is no bridge.
    private(set) var sniffer: Sniffer?
    private var linkIndex: Int32?

    init(_ gateway: ElectionMember.Gateway, now: Int) {
        self.gateway = gateway
        watch = GatewayWatch(now: now)
    }

    /// Sends a request. True when what is known of the gateway has changed.
    mutating func ask(_ frames: FrameSender, now: Int) -> Bool {
        let index = frames.index(of: gateway.bridge)
        if index != linkIndex || sniffer == nil {
            linkIndex = index
            // Of the gateway alone: an external network has tenants, whose own replies must not be able to keep this thread busy.
            sniffer = index.flatMap { try? AddressProbe.listen(gateway.address.version, linkIndex: $0, about: gateway.address) }
        }
        if sniffer != nil { _ = AddressProbe.ask(for: gateway.address, on: gateway.bridge, frames) }
        return watch.requested(now: now)
    }

    /// Reads what came. True when what is known of the gateway has changed.
    mutating func listen() -> Bool {
        var isAnswered = false
        let isThere = sniffer?.read { frame in
            if AddressProbe.claim(ofReply: frame, gateway.address.version)?.address == gateway.address { isAnswered = true }
        }
        if isThere == false { sniffer = nil }
        return isAnswered ? watch.answered() : false
    }
}

extension Reachability {
    init(_ isReachable: Bool?) {
        switch isReachable {
        case true?: self = .reachable
        case false?: self = .unreachable
        case nil: self = .unknown
        }
    }
}
