import Addressing
import NetworkModel

/// What a host reports: `POST /agent/v1/hosts/{host}/status`. Heartbeat, registration and results in one body, so that a report that was
/// lost is repaired by the next one.
public struct HostStatus: Hashable, Sendable, Codable {
    /// What the host is: registers or refreshes its agents.
    public struct Registration: Hashable, Sendable, Codable {
        /// Changes with every start of the agent.
        public var startID: String
        public var tunnelAddress: IPAddress?
        /// Physical network → interface.
        public var physicalNetworks: [String: String]
        public var stateDirectory: String
        /// The part of the cloud that the host is in; nil: the one of hosts that name none.
        public var availabilityZone: String?
        /// Whether instances can ask the host for metadata; nil: they can.
        public var servesMetadata: Bool?

        public init(
            startID: String, tunnelAddress: IPAddress?, physicalNetworks: [String: String], stateDirectory: String,
            availabilityZone: String? = nil, servesMetadata: Bool? = nil
        ) {
            self.startID = startID
            self.tunnelAddress = tunnelAddress
            self.physicalNetworks = physicalNetworks
            self.stateDirectory = stateDirectory
            self.availabilityZone = availabilityZone
            self.servesMetadata = servesMetadata
        }
    }

    /// The part of a host that acknowledges a port.
    public enum Component: String, Hashable, Sendable, Codable {
        case l2, dhcp, l3
    }

    /// What became of one port.
    public struct PortReport: Hashable, Sendable, Codable {
        public enum State: String, Hashable, Sendable, Codable { case up, down, failed }
        public var portID: ResourceID
        public var component: Component
        public var state: State
        /// The port's revision that was realised.
        public var revision: Int
        public var message: String?

        public init(portID: ResourceID, component: Component, state: State, revision: Int, message: String? = nil) {
            self.portID = portID
            self.component = component
            self.state = state
            self.revision = revision
            self.message = message
        }
    }

    /// What this host's member of a router is, and what it fails at. A host that repeats `active` while another member claims the same says that it means it:
    /// after a few seconds the server holds both for masters, and raises an alarm.
    public struct RouterReport: Hashable, Sendable, Codable {
        public var routerID: ResourceID
        /// `unknown` of a standalone router, which has no such state.
        public var state: HAState
        /// A sentence about what this host cannot realise of the router, at most 2000 octets; nil: nothing is amiss, or not any more.
        public var failure: String?
        /// Whether the failure comes from outside, such as another owner of the router's address, so that no other host would do better.
        /// Nil: no.
        public var isFailureExternal: Bool?

        public init(routerID: ResourceID, state: HAState, failure: String? = nil, isFailureExternal: Bool? = nil) {
            self.routerID = routerID
            self.state = state
            self.failure = failure
            self.isFailureExternal = isFailureExternal
        }
    }

    /// A router that this host masters while it hears another host do the same.
    public struct MasterConflict: Hashable, Sendable, Codable {
        public var routerID: ResourceID
        /// The other host.
        public var hostID: String

        public init(routerID: ResourceID, hostID: String) {
            self.routerID = routerID
            self.hostID = hostID
        }
    }

    public var registration: Registration
    /// The feed revision up to which everything was applied; nil before the first.
    public var appliedRevision: Int?
    /// Only what changed since the last report that the server answered.
    public var ports: [PortReport]
    public var routers: [RouterReport]
    /// Sentences about what could not be realised, at most 20.
    public var failures: [String]
    /// What lasts now, at most 100; nil: none.
    public var conflicts: [MasterConflict]?

    public init(
        registration: Registration, appliedRevision: Int? = nil, ports: [PortReport] = [], routers: [RouterReport] = [],
        failures: [String] = [], conflicts: [MasterConflict]? = nil
    ) {
        self.registration = registration
        self.appliedRevision = appliedRevision
        self.ports = ports
        self.routers = routers
        self.failures = failures
        self.conflicts = conflicts
    }
}
