import Glibc

/// The UNIX socket that the service listens on.
///
/// Whoever listens makes the socket, with rights that depend on the process: nobody passes its directory before it has those that it shall have.
///
///     prepare() ──▶ directory is root's alone ──▶ bound ──▶ open() ──▶ the socket is the group's, the directory everybody's
struct MetadataSocket: Sendable {
    struct Failure: Error, CustomStringConvertible {
        var description: String
    }

    /// What `sockaddr_un` holds, without the 0 at its end.
    static let maximumPathBytes = 107

    let directory: String
    let name: String
    let group: String?

    var path: String { "\(directory)/\(name)" }

    init(directory: String, name: String, group: String?) throws(Failure) {
        self.directory = directory
        self.name = name
        self.group = group
        guard path.utf8.count <= Self.maximumPathBytes else {
            throw Failure(
                description:
                    "The path \(path) is too long for a UNIX socket (\(Self.maximumPathBytes) bytes): choose a shorter --state-directory.")
        }
    }

    /// Makes the directory, closed, and removes what an earlier agent left.
    func prepare() throws(Failure) {
        if mkdir(directory, 0o700) != 0, errno != EEXIST { throw failure("The directory \(directory) cannot be made") }
        if chmod(directory, 0o700) != 0 { throw failure("The directory \(directory) cannot be closed to others") }
        if unlink(path) != 0, errno != ENOENT { throw failure("The socket \(path) of an earlier agent cannot be removed") }
    }

    /// Lets the group connect. Before, nobody but the agent's user can.
    func open() throws(Failure) {
        if let group {
            guard let entry = getgrnam(group) else { throw Failure(description: "there is no group \(group): install haproxy") }
            // -1 leaves the owner.
            guard chown(path, uid_t.max, entry.pointee.gr_gid) == 0 else {
                throw failure("the socket \(path) cannot be given to the group \(group)")
            }
        }
        if chmod(path, group == nil ? 0o600 : 0o660) != 0 { throw failure("the rights of the socket \(path) cannot be set") }
        // haproxy gives up root's rights after it made this its root.
        if chmod(directory, 0o755) != 0 { throw failure("the directory \(directory) cannot be opened for others") }
    }

    private func failure(_ what: String) -> Failure { Failure(description: "\(what): \(String(cString: strerror(errno)))") }
}
