import java.nio.charset.StandardCharsets;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.util.ArrayList;
import java.util.Base64;
import java.util.List;
import java.util.Properties;
import java.util.Scanner;

/**
 * Asks Trino by JDBC what the lines of standard input ask: USER PASSWORD WHAT SQL, in base64.
 * WHAT is `rows`, `tables` or `columns`: the last two are what a tool asks to show a tree of names.
 * Each answer is its rows, a line each, their cells in base64 (- = NULL), and a last line `end` or `error MESSAGE`.
 */
public class AsksTrino {
    public static void main(String[] words) {
        Scanner asked = new Scanner(System.in, StandardCharsets.UTF_8);
        while (asked.hasNextLine()) {
            String[] question = asked.nextLine().split(" ");
            Properties login = new Properties();
            login.setProperty("user", read(question[0]));
            login.setProperty("password", read(question[1]));
            login.setProperty("SSL", "true");
            login.setProperty("SSLTrustStorePath", words[1]);
            try (Connection trino = DriverManager.getConnection(words[0], login)) {
                ask(trino, question[2], read(question[3]));
                System.out.println("end");
            } catch (SQLException error) {
                System.out.println("error " + write(error.getMessage()));
            }
        }
    }

    private static void ask(Connection trino, String what, String sql) throws SQLException {
        switch (what) {
            case "tables" -> tell(trino.getMetaData().getTables(null, null, "%", null), 1, 2, 3);
            case "columns" -> tell(trino.getMetaData().getColumns(null, null, "%", "%"), 1, 2, 3, 4);
            default -> tell(trino.createStatement().executeQuery(sql));
        }
    }

    private static void tell(ResultSet found, int... columns) throws SQLException {
        int many = columns.length == 0 ? found.getMetaData().getColumnCount() : columns.length;
        while (found.next()) {
            List<String> cells = new ArrayList<>();
            for (int at = 1; at <= many; at++) {
                String cell = found.getString(columns.length == 0 ? at : columns[at - 1]);
                cells.add(cell == null ? "-" : write(cell));
            }
            System.out.println(String.join(" ", cells));
        }
    }

    private static String read(String text) {
        return new String(Base64.getDecoder().decode(text), StandardCharsets.UTF_8);
    }

    private static String write(String text) {
        return "=" + Base64.getEncoder().encodeToString(text.getBytes(StandardCharsets.UTF_8));
    }
}
