import Glibc

/// The UNIX socket that the service listens on.
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

    /// Makes the directory, and removes what an earlier agent left.
    func prepare() throws(Failure) {
        if mkdir(directory, 0o755) != 0, errno != EEXIST { throw failure("The directory \(directory) cannot be made") }
        // haproxy gives up root's rights after it made this its root.
        if chmod(directory, 0o755) != 0 { throw failure("The directory \(directory) cannot be opened for others") }
        if unlink(path) != 0, errno != ENOENT { throw failure("The socket \(path) of an earlier agent cannot be removed") }
    }

    /// Lets the group connect. Before, nobody but the agent's user can. Answers why not.
    func open() -> String? {
        guard let group else { return nil }
        guard let entry = getgrnam(group) else {
            return "there is no group \(group): install haproxy"
        }
        // -1 leaves the owner.
        guard chown(path, uid_t.max, entry.pointee.gr_gid) == 0, chmod(path, 0o660) == 0 else {
            return failure("the socket \(path) cannot be opened for the group \(group)").description
        }
        return nil
    }

    private func failure(_ what: String) -> Failure { Failure(description: "\(what): \(String(cString: strerror(errno)))") }
}
