import Foundation
import Glibc

/// Files of the test process, in one directory that is removed when it ends.
public enum TemporaryFiles {
    private static let root: String = {
        let root = "/tmp/neutrino-test-\(getpid())"
        try? FileManager.default.removeItem(atPath: root)
        atexit { try? FileManager.default.removeItem(atPath: "/tmp/neutrino-test-\(getpid())") }
        return root
    }()

    /// A path in a new, empty directory.
    public static func makePath(_ name: String) throws -> String {
        let directory = "\(root)/\(UInt64.random(in: 0...UInt64.max))"
        try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
        return "\(directory)/\(name)"
    }
}
