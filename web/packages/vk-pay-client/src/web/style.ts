export const STYLE = `
:host{display:inline-block;--c:var(--vk-pay-color,#07863f)}
:host([hidden]){display:none}
*{box-sizing:border-box}
button,a{font:inherit;min-height:44px;padding:8px 20px;border:1px solid var(--c);border-radius:8px;background:var(--c);color:#fff;cursor:pointer;text-decoration:none}
button:disabled,[aria-busy]{opacity:.6;cursor:default}
:focus-visible{outline:3px solid var(--c);outline-offset:2px}
.main{width:100%}
[hidden]{display:none!important}
dialog{width:320px;max-width:calc(100vw - 24px);border:0;border-radius:16px;padding:24px;text-align:center;font:16px/1.5 system-ui,sans-serif;background:#fff;color:#1a1a1a}
::backdrop{background:#0009}
h2{font-size:1em;margin:0}
b{display:block;font-size:1.8em}
img{display:block;width:232px;max-width:100%;margin:12px auto;border-radius:8px;background:#fff;image-rendering:pixelated}
p{margin:12px 0;color:#595959}
div{display:flex;flex-direction:column;gap:8px}
.plain{background:0 0;color:inherit;border-color:#8888}
.live{position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%);white-space:nowrap}
@media (prefers-color-scheme:dark){dialog{background:#1f1f1f;color:#f2f2f2}p{color:#bbb}}`.replace(/\n/g, '');
