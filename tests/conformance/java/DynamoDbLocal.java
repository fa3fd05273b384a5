// DynamoDB Local as a program that listens at 127.0.0.1 alone, at a port that is free, which it
// prints. It has no option for that, so the connector of its web server is told before it starts.
// It ends when its standard input does.

import java.lang.reflect.Field;
import org.eclipse.jetty.server.Connector;
import org.eclipse.jetty.server.Server;
import org.eclipse.jetty.server.ServerConnector;
import software.amazon.dynamodb.services.local.main.ServerRunner;
import software.amazon.dynamodb.services.local.server.DynamoDBProxyServer;

public final class DynamoDbLocal {
    public static void main(String[] arguments) throws Exception {
        String[] options = {"-inMemory", "-sharedDb", "-disableTelemetry", "-port", "8000"};
        DynamoDBProxyServer local = ServerRunner.createServerFromCommandLineArgs(options);
        Field field = DynamoDBProxyServer.class.getDeclaredField("server");
        field.setAccessible(true);
        ServerConnector only = null;
        for (Connector connector : ((Server) field.get(local)).getConnectors()) {
            only = (ServerConnector) connector;
            only.setHost("127.0.0.1");
            only.setPort(0);
        }
        local.start();
        System.out.println("ready http://127.0.0.1:" + only.getLocalPort());
        while (System.in.read() >= 0) {
            // Whoever started it is still there.
        }
        System.exit(0);
    }

    private DynamoDbLocal() {}
}
