import KernelInterface

/// The operations of a plan that make and change, split into what must be done one after the other and what need not be.
///
///     first ──┬──▶ the rest of the host's own namespace (firewall, instances' devices, forwarding…)
///             ├──▶ everything of one namespace: made, sysctls, veth pairs with their outer ends, firewall, addresses…
///             └──▶ the next namespace …
///
/// First come the host's own bridges, tunnels and sysctls: they are what a namespace is plugged into. From there on namespaces know nothing of each
/// other, and one that fails or is slow holds up nobody. Within a lane the order is the plan's.
struct Lanes {
    var first: [PlannedOperation] = []
    var lanes: [[PlannedOperation]] = []

    init(_ operations: [PlannedOperation], own: NamespaceConfiguration) {
        var rest: [PlannedOperation] = []
        var byNamespace: [NamespaceName: [PlannedOperation]] = [:]
        var isTangled = false
        for planned in operations {
            let target = planned.operation.target
            if let place = target.place, let peer = target.peerPlace, place != peer { isTangled = true }
            if let namespace = Self.namespace(target, own) {
                byNamespace[namespace, default: []].append(planned)
            } else if Self.isFoundation(planned) {
                first.append(planned)
            } else {
                rest.append(planned)
            }
        }
        guard !isTangled else {
            // A veth pair between two namespaces ties their lanes together; there is no such pair among ours.
            (first, lanes) = (operations, [])
            return
        }
        lanes = (rest.isEmpty ? [] : [rest]) + byNamespace.sorted { $0.key < $1.key }.map(\.value)
    }

    /// The namespace that an operation belongs to: also one on the outer end of its veth pair.
    private static func namespace(_ target: OperationTarget, _ own: NamespaceConfiguration) -> NamespaceName? {
        if let namespace = target.place ?? target.peerPlace { return namespace }
        guard let link = target.link, case .veth(_, let peer) = own.links[link]?.kind else { return nil }
        return peer
    }

    /// Whether the operation, in the host's own namespace, may be what others build on.
    private static func isFoundation(_ planned: PlannedOperation) -> Bool {
        switch planned.operation {
        case .setSysctl, .addLink, .removeLink: true
        // Foreign links are detached and attached around the firewall.
        case .changeLink: planned.role == .make
        default: false
        }
    }
}
