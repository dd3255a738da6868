/// The words of `binding:vif_type`.
public enum VIFType {
    public static let unbound = "unbound"
    /// The device is a port of a Linux bridge.
    public static let bridge = "bridge"
    /// The host has no living agent, or cannot carry the network.
    public static let failed = "binding_failed"
}

/// What ties a port to one host. A port has one active binding at most, which its own attributes say (`binding:host_id` and so on), and any
/// number of inactive ones, made for a live migration:
///
///                                        activate (of another host)
///     ──POST──▶ inactive, wired ahead ◀─ ─ ─ ─ ─ ─ ─ ─ ─ ─ ─ ─ ─ ─ ┐
///                      │ activate                                   │
///                      ▼                                            │
///                   active ──activate (of another host)──▶ inactive, unbound
///
/// A host with an inactive binding that could be realised wires the port before the instance comes, and says when it has; frames to the
/// instance go to the active host until the binding is activated.
public struct PortBinding: Sendable, Hashable {
    public var hostID: String
    /// `vnic_type`.
    public var vnicType: String
    /// One of ``VIFType``.
    public var vifType: String
    /// `profile` as canonical JSON text of an object.
    public var profile: String
    public var isActive: Bool
    /// Whether the host has reported that the port's device is wired there. Only said of inactive bindings.
    public var isWired: Bool

    public init(
        hostID: String, vnicType: String = "normal", vifType: String = VIFType.unbound, profile: String = "{}", isActive: Bool = false,
        isWired: Bool = false
    ) {
        self.hostID = hostID
        self.vnicType = vnicType
        self.vifType = vifType
        self.profile = profile
        self.isActive = isActive
        self.isWired = isWired
    }
}

extension Port {
    /// What the port's own attributes say; nil when the port is bound to no host. Setting it replaces them.
    public var activeBinding: PortBinding? {
        get {
            guard !hostID.isEmpty else { return nil }
            return PortBinding(hostID: hostID, vnicType: vnicType, vifType: vifType, profile: bindingProfile, isActive: true)
        }
        set {
            hostID = newValue?.hostID ?? ""
            vnicType = newValue?.vnicType ?? vnicType
            vifType = newValue?.vifType ?? VIFType.unbound
            bindingProfile = newValue?.profile ?? "{}"
        }
    }

    /// All bindings, the active one first.
    public var bindings: [PortBinding] { (activeBinding.map { [$0] } ?? []) + inactiveBindings }

    /// The hosts that wire the port's device when it appears: its own, and those that wait for a migration.
    public var wiringHostIDs: [String] {
        (hostID.isEmpty ? [] : [hostID]) + inactiveBindings.filter { $0.vifType == VIFType.bridge }.map(\.hostID)
    }
}
