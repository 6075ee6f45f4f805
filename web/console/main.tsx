import "./style/tokens.css";
import "./style/base.css";

import { createRoot } from "react-dom/client";

import { Console } from "./shell/console";

createRoot(document.getElementById("page")!).render(<Console />);
