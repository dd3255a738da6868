/// Where the files of one HA router's keepalived are. The layout is Neutron's, so that operators find what they look for.
///
///     <state>/ha_confs/<router>/keepalived.conf
///     <state>/ha_confs/<router>/state            "master" or "backup"; written by the agent, for people and scripts
///     <state>/ha_confs/<router>/notify.fifo      changes of state, from keepalived to the agent
///     <state>/ha_confs/<router>/keepalived.log   and keepalived.log.1, of the run before
///     <state>/ha_confs/<router>.pid              the process that was started
///     <state>/ha_confs/<router>.pid-vrrp         its child that speaks VRRP
public struct KeepalivedPaths: Hashable, Sendable {
    /// `<state>/ha_confs/<router>`.
    public var directory: String

    /// - Parameters:
    ///   - stateDirectory: Absolute.
    ///   - router: The router's id.
    public init(stateDirectory: String, router: String) {
        directory = "\(stateDirectory)/ha_confs/\(router)"
    }

    public var configuration: String { directory + "/keepalived.conf" }
    public var state: String { directory + "/state" }
    public var notifyPipe: String { directory + "/notify.fifo" }
    public var log: String { directory + "/keepalived.log" }
    public var processID: String { directory + ".pid" }
    public var vrrpProcessID: String { directory + ".pid-vrrp" }
}
