import { qrPng } from '../qr.js';
import { VkPayButton } from './button.js';

VkPayButton.qrcode = qrPng;

export { browserPage, type Page } from '../page.js';
export { webInvoke } from './invoke.js';
export { fetchPost } from './post.js';
export { VkPayButton };
