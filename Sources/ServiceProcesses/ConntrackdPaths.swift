/// Where the files of one HA router's conntrackd are.
///
///     <state>/conntrackd/<router>/conntrackd.conf
///     <state>/conntrackd/<router>/control            the socket that its commands go to
///     <state>/conntrackd/<router>/lock
///     <state>/conntrackd/<router>/conntrackd.log     and conntrackd.log.1, of the run before
///     <state>/conntrackd/<router>.pid
public struct ConntrackdPaths: Hashable, Sendable {
    /// `<state>/conntrackd/<router>`: the daemon's working directory.
    public var directory: String

    /// - Parameters:
    ///   - stateDirectory: Absolute.
    ///   - router: The router's id.
    public init(stateDirectory: String, router: String) { directory = "\(stateDirectory)/conntrackd/\(router)" }

    public var configuration: String { directory + "/conntrackd.conf" }
    public var log: String { directory + "/conntrackd.log" }
    public var processID: String { directory + ".pid" }

    static let lockName = "lock"
    static let controlName = "control"
}
